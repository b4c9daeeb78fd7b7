#pragma once

#include <algorithm>
#include <string_view>

namespace flow {

/// JSON by RFC 8259 in UTF-8, up to 1,000 levels deep, as plainly as it can be written.
class grammar {
 public:
  static bool accepts(std::string_view text) {
    grammar g{text};
    return g.value(1000) && g.space() && g.text_.empty();
  }

 private:
  explicit grammar(std::string_view text) : text_{text} {}

  bool space() {
    text_.remove_prefix(std::min(text_.find_first_not_of(" \t\r\n"), text_.size()));
    return true;
  }
  bool take(std::string_view what) {
    if (!text_.starts_with(what)) return false;
    text_.remove_prefix(what.size());
    return true;
  }
  bool any(std::string_view of) {
    if (text_.empty() || of.find(text_.front()) == of.npos) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool between(unsigned char low, unsigned char high) {
    if (text_.empty() || static_cast<unsigned char>(text_.front()) < low ||
        static_cast<unsigned char>(text_.front()) > high)
      return false;
    text_.remove_prefix(1);
    return true;
  }
  bool list(char close, auto item) {
    space();
    if (any({&close, 1})) return true;
    do
      if (!item()) return false;
    while (space() && take(","));
    return any({&close, 1});
  }
  bool digits() {
    bool some = false;
    while (any("0123456789")) some = true;
    return some;
  }
  bool number() {
    take("-");
    if (!take("0") && !digits()) return false;
    if (take(".") && !digits()) return false;
    return !any("eE") || (any("+-"), digits());
  }
  bool rest(int count) {
    while (count > 0 && between(0x80, 0xbf)) --count;
    return count == 0;
  }
  bool character() {
    if (between(0x20, 0x7f)) return true;
    if (between(0xc2, 0xdf)) return rest(1);
    if (take("\xe0")) return between(0xa0, 0xbf) && rest(1);
    if (take("\xed")) return between(0x80, 0x9f) && rest(1);
    if (between(0xe1, 0xef)) return rest(2);
    if (take("\xf0")) return between(0x90, 0xbf) && rest(2);
    if (between(0xf1, 0xf3)) return rest(3);
    return take("\xf4") && between(0x80, 0x8f) && rest(2);
  }
  bool string() {
    if (!take("\"")) return false;
    while (!take("\"")) {
      if (!take("\\")) {
        if (!character()) return false;
      } else if (!take("u")) {
        if (!any("\"\\/bfnrt")) return false;
      } else {
        for (int i = 0; i < 4; ++i)
          if (!any("0123456789abcdefABCDEF")) return false;
      }
    }
    return true;
  }
  bool value(int levels) {
    space();
    if (levels > 0 && take("{"))
      return list('}', [&] { return space() && string() && space() && take(":") && value(levels - 1); });
    if (levels > 0 && take("[")) return list(']', [&] { return value(levels - 1); });
    if (text_.starts_with("\"")) return string();
    return take("true") || take("false") || take("null") || number();
  }

  std::string_view text_;
};

}  // namespace flow
