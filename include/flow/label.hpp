#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace flow {

/// True for 1 to 100 letters, digits, dots, dashes and underscores: what a node, an application, an instance of it and
/// its home may be called, so that names on Kafka can be made of them.
constexpr bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 100) return false;
  for (char c : text)
    if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && c != '.' && c != '-' &&
        c != '_')
      return false;
  return true;
}

/// What to do about a text that is no name.
inline constexpr const char* name_rule = "use 1 to 100 letters, digits, dots, dashes or underscores";

/// The name of a node as an operator takes it. A literal is checked by the compiler, a string when the topology is
/// built. A parameter type: it looks at its argument.
class label {
 public:
  template <std::size_t N>
  consteval label(const char (&text)[N]) : text_{text, N - 1} {
    if (!is_name(text_)) throw "flow: a name has 1 to 100 letters, digits, dots, dashes or underscores";
  }
  label(const std::string& text) : text_{text} {}

  constexpr std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

}  // namespace flow
