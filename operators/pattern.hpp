#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace re2 {
class RE2;
}

namespace flow {

/// A regular expression that is matched as a whole. Time is linear in the text, whatever the two are.
class pattern {
 public:
  explicit pattern(const std::string& expression);

  /// Why it is none; empty if it is one.
  std::string wrong() const;
  bool matches(std::string_view text) const;

 private:
  std::shared_ptr<const re2::RE2> compiled_;
};

}  // namespace flow
