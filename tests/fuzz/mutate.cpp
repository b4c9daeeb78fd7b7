#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

// Stands in for libFuzzer where the compiler has none: mutate RUNS CORPUS_FILE ..., always the same mutations.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using namespace std::literals;

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> corpus{""};
  for (int i = 2; i < argc; ++i) {
    std::ifstream file{argv[i], std::ios::binary};
    if (!file) return std::fprintf(stderr, "cannot read %s\n", argv[i]), 2;
    corpus.emplace_back(std::istreambuf_iterator<char>{file}, std::istreambuf_iterator<char>{});
  }
  std::mt19937_64 random{1};
  const auto pick = [&](std::size_t choices) { return random() % choices; };
  for (const auto& each : corpus) run(each);
  for (long left = argc > 1 ? std::stol(argv[1]) : 1000; left > 0; --left) {
    auto input = corpus[pick(corpus.size())];
    for (auto edits = 1 + pick(4); edits > 0; --edits) {
      constexpr auto telling = "{}[]\",:\\/~u0d8-.eE+trfalsn \n\x01\x7f\xc3\xed\xff\0*(?"sv;
      const auto at = pick(input.size() + 1);
      switch (pick(4)) {
        case 0:
          input.insert(at, 1, telling[pick(telling.size())]);
          break;
        case 1:
          if (at < input.size()) input.erase(at, 1 + pick(3));
          break;
        case 2:
          if (at < input.size()) input[at] = static_cast<char>(random());
          break;
        default: {
          const auto& other = corpus[pick(corpus.size())];
          const auto from = pick(other.size() + 1);
          input.insert(at, other, from, pick(20));
        }
      }
    }
    run(input);
    if (pick(100) == 0 && corpus.size() < 1000) corpus.push_back(input);
  }
}
