#include "decimal.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>

namespace flow {
namespace {

TEST(decimals, are_ordered_by_what_they_mean) {
  const char* ascending[] = {"-1e1000000000000",
                             "-2e3",
                             "-1000.5",
                             "-1",
                             "-0.25",
                             "-1e-9",
                             "0",
                             "1e-999",
                             "0.009",
                             "0.01",
                             "0.010001",
                             "1",
                             "1.5",
                             "9.99",
                             "10",
                             "1e2",
                             "1000.0000000001",
                             "1e1000",
                             "2e1000",
                             "1e99999999999999999999"};
  for (std::size_t i = 0; i < std::size(ascending); ++i)
    for (std::size_t j = i + 1; j < std::size(ascending); ++j) {
      EXPECT_EQ(compare_numbers(ascending[i], ascending[j]), std::strong_ordering::less)
          << ascending[i] << ascending[j];
      EXPECT_EQ(compare_numbers(ascending[j], ascending[i]), std::strong_ordering::greater);
    }
}

TEST(decimals, are_equal_however_they_are_written) {
  const std::pair<const char*, const char*> pairs[] = {{"0", "-0"},
                                                       {"0.000", "0e5"},
                                                       {"1", "1.000"},
                                                       {"1e2", "100"},
                                                       {"0.1e1", "1"},
                                                       {"12.5", "125e-1"},
                                                       {"100e-2", "1"},
                                                       {"-0.5", "-5E-1"},
                                                       {"1e+3", "1000.0"},
                                                       {"0.00120", "12.0e-4"},
                                                       {"1e99999999999999999999", "1E+88888888888888888888"}};
  for (const auto& [a, b] : pairs) EXPECT_EQ(compare_numbers(a, b), std::strong_ordering::equal) << a << " " << b;
}

/// A number of hundredths, spelled in one of many ways.
std::string spelled(std::int64_t hundredths, std::mt19937_64& random) {
  if (hundredths == 0) return "0.0";
  const auto digits = std::to_string(std::abs(hundredths));
  const auto shift = static_cast<int>(random() % 7) - 3;  // where the point goes, against which the exponent stands
  std::string whole = digits, fraction;
  int exponent = -2;
  for (int i = 0; i < shift; ++i) whole += '0', --exponent;
  for (int i = 0; i > shift; --i) {
    if (whole.size() == 1) whole = "0" + whole;
    fraction = whole.back() + fraction, whole.pop_back(), ++exponent;
  }
  if (random() % 2) fraction += "00";
  return (hundredths < 0 ? "-" : "") + whole + (fraction.empty() ? "" : "." + fraction) + (random() % 2 ? "e" : "E") +
         (exponent >= 0 && random() % 2 ? "+" : "") + std::to_string(exponent);
}

TEST(decimals, agree_with_integers) {
  std::mt19937_64 random{5};
  for (int i = 0; i < 100'000; ++i) {
    const auto a = static_cast<std::int64_t>(random() % 2001) - 1000;
    const auto b = static_cast<std::int64_t>(random() % 2001) - 1000;
    const auto c = random() % 3 ? b : a;
    const auto left = spelled(a, random), right = spelled(c, random);
    ASSERT_TRUE(is_number(left)) << left;
    ASSERT_EQ(compare_numbers(left, right), a <=> c) << left << " " << right;
  }
}

}  // namespace
}  // namespace flow
