// A bounded source and a container at the end: a pipeline without any cluster.
#include <iostream>
#include <set>
#include <string>
#include <vector>

#include <range/v3/range/conversion.hpp>
#include <range/v3/view/split.hpp>
#include <range/v3/view/transform.hpp>

#include <flow/flow.hpp>

namespace views = ranges::views;

int main() {
  const std::vector<std::string> lines{"to be or not to be", "that is the question"};
  std::multiset<std::string> words;

  flow::topology t{"word-split"};
  t.from(lines) | flow::flat_map([](const std::string& line) {
    return line | views::split(' ') | views::transform(ranges::to<std::string>());
  }) | flow::filter([](const std::string& word) { return word.size() > 1; }) |
      flow::collect(words);
  flow::drain(t);

  for (auto word = words.begin(); word != words.end(); word = words.upper_bound(*word))
    std::cout << *word << " " << words.count(*word) << "\n";
  return words.count("be") == 2 && words.size() == 10 ? 0 : 1;
}
