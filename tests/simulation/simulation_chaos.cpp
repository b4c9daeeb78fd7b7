#include <charconv>
#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>

#include "chaos.hpp"

/// simulation_chaos [--seed N] [--count M] [--until-caught] [--history]
/// Runs M seeds from N on, and fails at the first whose outputs are wrong; with --until-caught it is the other way
/// round: the engine has a planted mistake, and not to find it is the failure.

namespace {

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

void print(const flow::testing::chaos& run) {
  for (const auto& line : run.history()) std::cout << line << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seed = 1, count = 1;
  bool until_caught = false, history = false;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument{argv[i]};
    if (argument == "--until-caught") {
      until_caught = true;
    } else if (argument == "--history") {
      history = true;
    } else if ((argument == "--seed" || argument == "--count") && i + 1 < argc) {
      (argument == "--seed" ? seed : count) = number(argv[++i]);
    } else {
      std::cerr << "usage: " << argv[0] << " [--seed N] [--count M] [--until-caught] [--history]\n";
      return 2;
    }
  }
  for (auto each = seed; each < seed + count; ++each) {
    flow::testing::chaos run{each};
    const auto wrong = run.run();
    if (wrong && until_caught) {
      std::cout << "caught by seed " << each << ": " << *wrong << '\n';
      return 0;
    }
    if (wrong || history) print(run);
    if (!wrong) continue;
    std::cout << "seed " << each << ": " << *wrong << "\nreplay: " << argv[0] << " --seed " << each << '\n';
    return 1;
  }
  std::cout << count << " seeds from " << seed << (until_caught ? ": the mistake was not noticed\n" : ": all right\n");
  return until_caught ? 1 : 0;
}
