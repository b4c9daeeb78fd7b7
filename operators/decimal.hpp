#pragma once

#include <compare>
#include <cstddef>
#include <string_view>

namespace flow {

/// How many characters of a text are a number as RFC 8259 has it; 0 if it begins with none.
std::size_t number_length(std::string_view text);

inline bool is_number(std::string_view text) {
  return !text.empty() && number_length(text) == text.size();
}

/// Compares two of them by what they mean, exactly, however they are written. An exponent beyond 10^18 counts as that.
std::strong_ordering compare_numbers(std::string_view a, std::string_view b);

}  // namespace flow
