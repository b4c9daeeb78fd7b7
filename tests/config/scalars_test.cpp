#include <array>
#include <chrono>
#include <cstdint>
#include <string>

#include <gtest/gtest.h>

#include <flow/settings.hpp>

namespace {

using namespace std::chrono_literals;

template <class T>
std::string read(std::string_view text) {
  T value{};
  const auto wrong = flow::scalar<T>::read(text, value);
  return wrong ? wrong.text + " (" + wrong.remedy + ")" : flow::scalar<T>::write(value);
}

TEST(durations, are_read_in_every_unit_and_written_in_the_largest_that_fits) {
  using flow::scalar;
  EXPECT_EQ(read<std::chrono::nanoseconds>("7ns"), "7ns");
  EXPECT_EQ(read<std::chrono::nanoseconds>("2us"), "2us");
  EXPECT_EQ(read<std::chrono::milliseconds>("1000ms"), "1s");
  EXPECT_EQ(read<std::chrono::milliseconds>("1.5s"), "1500ms");
  EXPECT_EQ(read<std::chrono::milliseconds>("90s"), "90s");
  EXPECT_EQ(read<std::chrono::seconds>("1.5min"), "90s");
  EXPECT_EQ(read<std::chrono::seconds>("24h"), "1d");
  EXPECT_EQ(read<std::chrono::hours>("7 d"), "7d");
  EXPECT_EQ(read<std::chrono::seconds>("0s"), "0s");
}

TEST(durations, say_what_is_wrong) {
  EXPECT_EQ(read<std::chrono::seconds>("soon"), "is not a duration (write a duration such as 100ms)");
  EXPECT_EQ(read<std::chrono::seconds>(""), "is not a duration (write a duration such as 100ms)");
  EXPECT_EQ(read<std::chrono::seconds>("10"), "has no unit (write 10ms or 10s)");
  EXPECT_EQ(read<std::chrono::seconds>("10m"), "has an unknown unit (write 10min or 10ms)");
  EXPECT_EQ(read<std::chrono::seconds>("10 years"), "has an unknown unit (units are ns, us, ms, s, min, h and d)");
  EXPECT_EQ(read<std::chrono::seconds>("-1s"), "is negative (write a duration such as 100ms)");
  EXPECT_EQ(read<std::chrono::seconds>("100ms"), "is finer than 1s (write whole steps of 1s)");
  EXPECT_EQ(read<std::chrono::nanoseconds>("9999999999999d"), "is too much (write less)");
}

TEST(sizes, are_read_in_every_unit) {
  using flow::byte_rate, flow::byte_size;
  EXPECT_EQ(read<byte_size>("256MiB"), "256MiB");
  EXPECT_EQ(read<byte_size>("20MB"), "20MB");
  EXPECT_EQ(read<byte_size>("1.5KiB"), "1536B");
  EXPECT_EQ(read<byte_size>("4kB"), "4kB");
  EXPECT_EQ(read<byte_size>("0B"), "0B");
  EXPECT_EQ(read<byte_rate>("20 MB/s"), "20MB/s");
  EXPECT_EQ(read<byte_size>("1024"), "has no unit (write 1024B or 1024MiB)");
  EXPECT_EQ(read<byte_size>("1024 Mib"), "has an unknown unit (units are B, kB, MB, GB, TB, KiB, MiB, GiB and TiB)");
  EXPECT_EQ(read<byte_size>("0.5B"), "is finer than 1B (write whole steps of 1B)");
  EXPECT_EQ(read<byte_size>("99999999999TiB"), "is too much (write less)");
  EXPECT_EQ(read<byte_size>("much"), "is not a size (write a size such as 256MiB)");
  EXPECT_EQ(read<byte_rate>("20MB"), "is not per second (write 20MB/s)");
}

TEST(numbers, stay_within_their_type) {
  EXPECT_EQ(read<int>("-2147483648"), "-2147483648");
  EXPECT_EQ(read<int>("+5"), "5");
  EXPECT_EQ(read<int>("2147483648"), "is too much (write -2147483648 to 2147483647)");
  EXPECT_EQ(read<std::int8_t>("127"), "127");
  EXPECT_EQ(read<std::int8_t>("-129"), "is too little (write -128 to 127)");
  EXPECT_EQ(read<std::int64_t>("-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(read<std::int64_t>("9223372036854775808"),
            "is too much (write -9223372036854775808 to 9223372036854775807)");
  EXPECT_EQ(read<std::uint64_t>("18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(read<std::uint16_t>("65536"), "is too much (write 0 to 65535)");
  EXPECT_EQ(read<std::uint16_t>("-1"), "is too little (write 0 to 65535)");
  for (const auto* text : {"", "x", "1x", "1.5", "0x10", "1e3", " 1", "--1", "+-1", "+"})
    EXPECT_EQ(read<int>(text), "is not a whole number (write a whole number such as 10)") << text;
  EXPECT_EQ(read<double>("1e3"), "1000");
  EXPECT_EQ(read<double>("-0.25"), "-0.25");
  for (const auto* text : {"", "x", "1x", "nan", "inf", "1e999"})
    EXPECT_EQ(read<double>(text), "is not a number (write a number such as 0.5)") << text;
}

TEST(truth, is_true_or_false) {
  EXPECT_EQ(read<bool>("true"), "true");
  EXPECT_EQ(read<bool>("false"), "false");
  EXPECT_EQ(read<bool>("yes"), "is not true or false (write true or false)");
}

TEST(problems, are_one_line_each) {
  using flow::to_string;
  EXPECT_EQ(to_string(flow::problem{{"a.yaml", 3, 5}, "is bad", "mend it"}), "a.yaml:3:5: error: is bad (mend it)");
  EXPECT_EQ(to_string(flow::problem{{"--top", 0, 0}, "is bad", ""}), "--top: error: is bad");
  EXPECT_EQ(to_string(flow::problem{{}, "is bad", ""}), "error: is bad");
  EXPECT_STREQ(flow::configuration_error({{{}, "one", ""}, {{}, "two", ""}}).what(), "error: one\nerror: two");
}

}  // namespace
