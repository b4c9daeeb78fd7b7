#pragma once

#include <compare>
#include <string_view>

namespace flow {

/// Whether this is a number as RFC 8259 has it.
bool is_number(std::string_view text);

/// Compares two of them by what they mean, exactly, however they are written. An exponent beyond 10^18 counts as that.
std::strong_ordering compare_numbers(std::string_view a, std::string_view b);

}  // namespace flow
