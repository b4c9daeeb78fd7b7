#include "pattern.hpp"

#include <re2/re2.h>

namespace flow {

pattern::pattern(const std::string& expression) {
  RE2::Options how;
  how.set_log_errors(false);
  how.set_never_capture(true);
  compiled_ = std::make_shared<const RE2>(expression, how);
}

std::string pattern::wrong() const {
  return compiled_->error();
}

bool pattern::matches(std::string_view text) const {
  return RE2::FullMatch(re2::StringPiece{text.data(), text.size()}, *compiled_);
}

}  // namespace flow
