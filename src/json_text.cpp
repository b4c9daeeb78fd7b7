#include "json_text.hpp"

#include <algorithm>

namespace flow {
namespace {

// Length of the UTF-8 sequence that `text` begins with, 0 if it begins with none (RFC 3629).
std::size_t sequence_length(std::string_view text) {
  const auto at = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto first = at(0);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xc2 && first < 0xe0 ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  for (std::size_t i = 1; i < length; ++i)
    if (at(i) >> 6 != 2) return 0;
  const bool overlong = (first == 0xe0 && at(1) < 0xa0) || (first == 0xf0 && at(1) < 0x90);
  const bool no_character = (first == 0xed && at(1) > 0x9f) || (first == 0xf4 && at(1) > 0x8f);
  return overlong || no_character ? 0 : length;
}

}  // namespace

bool is_utf8(std::string_view text) {
  for (std::size_t length = 0; !text.empty(); text.remove_prefix(length))
    if ((length = sequence_length(text)) == 0) return false;
  return true;
}

std::string escaped(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  constexpr std::string_view replacement = "\xef\xbf\xbd";
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const char c = text.front();
    const auto length = sequence_length(text);
    if (c == '"' || c == '\\') {
      out += {'\\', c};
    } else if (length == 0) {
      out += replacement;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += {digits[c >> 4 & 0xf], digits[c & 0xf]};
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return out;
}

}  // namespace flow
