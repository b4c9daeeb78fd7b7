#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Words for people who have mistyped one.
namespace flow::spelling {

/// The fewest steps from one word to the other: a letter more, less or another, or two neighbours swapped. Dashes and
/// underscores are the same.
inline std::size_t distance(std::string_view a, std::string_view b) {
  const auto same = [](char x, char y) { return x == y || (x == '-' && y == '_') || (x == '_' && y == '-'); };
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same(a[i - 1], b[j - 1]) ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

/// The candidate that was most likely meant, or nothing if none is close.
inline std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  constexpr std::size_t longest_name = 128;
  if (word.size() > longest_name) return {};
  std::size_t best = std::max<std::size_t>(1, word.size() / 3) + 1;
  std::string found;
  for (const auto& candidate : candidates) {
    if (candidate.size() > longest_name) continue;
    const auto steps = distance(word, candidate);
    if (steps < best && steps < candidate.size()) {
      best = steps;
      found = candidate;
    }
  }
  return found;
}

/// "a, b or c"
inline std::string either(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  return text;
}

}  // namespace flow::spelling
