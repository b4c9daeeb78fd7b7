#pragma once

#include <string>
#include <string_view>

namespace flow {

/// RFC 3629.
bool is_utf8(std::string_view text);

/// A text as the inside of a JSON string (RFC 8259). What is not UTF-8, as what an exception of user code says may not
/// be, is replaced.
std::string escaped(std::string_view text);

}  // namespace flow
