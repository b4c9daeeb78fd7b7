#include "spelling.hpp"

#include <cstddef>

namespace flow::config {
namespace {

// The end of the brackets that open at `at`, or the next character if none do or nothing closes them.
std::size_t behind_brackets(std::string_view text, std::size_t at) {
  constexpr std::string_view opening = "{[(", closing = "}])";
  const auto kind = opening.find(text[at]);
  int open = 0;
  for (auto i = at; kind != std::string_view::npos && i < text.size(); ++i) {
    if (text[i] == opening[kind]) ++open;
    if (text[i] == closing[kind] && --open == 0) return i + 1;
    if (text[i] == '\\') ++i;
  }
  return at + 1;
}

}  // namespace

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

std::vector<std::string> items_of(std::string_view text, char separator) {
  std::vector<std::string> items;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= text.size();) {
    if (i < text.size() && text[i] != separator) {
      i = behind_brackets(text, i);
    } else {
      items.emplace_back(trimmed(text.substr(begin, i - begin)));
      begin = ++i;
    }
  }
  return items;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace flow::config
