#include "decimal.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace flow {
namespace {

// 0.ddd... x 10^magnitude, where the first digit is no zero.
struct decimal {
  int sign = 0;
  std::int64_t magnitude = 0;
  std::string_view digits{};  // the point may stand among them
};

std::int64_t exponent(std::string_view text) {
  constexpr std::int64_t most = 1'000'000'000'000'000'000;
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::int64_t value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc{}) value = most;
  value = std::min(value, most);
  return negative ? -value : value;
}

decimal parse(std::string_view number) {
  const bool negative = number.starts_with('-');
  if (negative) number.remove_prefix(1);
  const auto e = number.find_first_of("eE");
  const auto mantissa = number.substr(0, e);
  const auto first = mantissa.find_first_of("123456789");
  if (first == mantissa.npos) return {};
  const auto point = std::min(mantissa.find('.'), mantissa.size());
  const auto zeros = static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
  return {.sign = negative ? -1 : 1,
          .magnitude = (e == number.npos ? 0 : exponent(number.substr(e + 1))) + (zeros < 0 ? zeros + 1 : zeros),
          .digits = mantissa.substr(first)};
}

std::strong_ordering compare_digits(std::string_view a, std::string_view b) {
  const auto next = [](std::string_view& digits) {
    if (digits.starts_with('.')) digits.remove_prefix(1);
    if (digits.empty()) return '0';
    const char digit = digits.front();
    digits.remove_prefix(1);
    return digit;
  };
  while (!a.empty() || !b.empty())
    if (const auto order = next(a) <=> next(b); order != 0) return order;
  return std::strong_ordering::equal;
}

}  // namespace

std::size_t number_length(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  const auto digits = [&] {
    const char* const first = at;
    while (at != end && *at >= '0' && *at <= '9') ++at;
    return at != first;
  };
  if (at != end && *at == '-') ++at;
  if (at != end && *at == '0') {
    ++at;
  } else if (!digits()) {
    return 0;
  }
  if (at != end && *at == '.' && (++at, !digits())) return 0;
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    if (!digits()) return 0;
  }
  return static_cast<std::size_t>(at - text.data());
}

std::strong_ordering compare_numbers(std::string_view a, std::string_view b) {
  const auto left = parse(a), right = parse(b);
  if (left.sign != right.sign) return left.sign <=> right.sign;
  const auto size = left.magnitude != right.magnitude ? left.magnitude <=> right.magnitude
                                                      : compare_digits(left.digits, right.digits);
  return left.sign < 0 ? 0 <=> size : size;
}

}  // namespace flow
