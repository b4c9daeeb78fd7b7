#include "spelling.hpp"

#include <algorithm>
#include <cstddef>

namespace flow::config {
namespace {

bool same_letter(char a, char b) {
  return a == b || (a == '-' && b == '_') || (a == '_' && b == '-');
}

// Optimal string alignment: insertions, deletions, replacements, and neighbours swapped.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last.swap(last);
    last.swap(row);
  }
  return last[b.size()];
}

}  // namespace

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
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

std::string either(const std::vector<std::string>& words) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? " or " : ", ";
    text += words[i];
  }
  return text;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t enough = 60;
  std::string shown = "\"";
  for (const char c : text.substr(0, enough)) {
    if (c == '\n') {
      shown += "\\n";
    } else if (static_cast<unsigned char>(c) < ' ' || c == 127) {
      shown += '?';
    } else {
      shown += c;
    }
  }
  if (text.size() > enough) {
    // A character of several bytes is not cut in half.
    std::size_t next = enough;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0) == 0x80) shown += text[next++];
    shown += "...";
  }
  return shown + '"';
}

std::vector<std::string> split_at(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const auto end = text.find(separator);
    parts.emplace_back(trimmed(text.substr(0, end)));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace flow::config
