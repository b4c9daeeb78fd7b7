#include <cstdint>
#include <limits>
#include <random>

#include "running.hpp"

namespace flow {
namespace {

template <typename T>
std::optional<std::string> written(const T& value) {
  std::string room;
  return text(default_coding<T>.encode(value, room));
}

template <typename T>
T read(const std::optional<std::string>& raw) {
  return default_coding<T>.decode(raw ? bytes{*raw} : bytes{});
}

template <typename T>
void expect_round_trip(const T& value) {
  EXPECT_EQ(read<T>(written(value)), value);
}

// What Kafka's LongSerializer, IntegerSerializer, ShortSerializer, DoubleSerializer, FloatSerializer and
// BooleanSerializer write.
TEST(codec, writes_numbers_as_kafka_does) {
  using namespace std::string_literals;
  EXPECT_EQ(written(std::int64_t{1}), "\0\0\0\0\0\0\0\1"s);
  EXPECT_EQ(written(std::int64_t{-2}), "\xff\xff\xff\xff\xff\xff\xff\xfe"s);
  EXPECT_EQ(written(std::int32_t{0x01020304}), "\1\2\3\4"s);
  EXPECT_EQ(written(std::int16_t{-1}), "\xff\xff"s);
  EXPECT_EQ(written(1.5), "\x3f\xf8\0\0\0\0\0\0"s);
  EXPECT_EQ(written(1.5F), "\x3f\xc0\0\0"s);
  EXPECT_EQ(written(true), "\1"s);
  EXPECT_EQ(written(false), "\0"s);
}

TEST(codec, reads_what_it_writes) {
  std::mt19937_64 random{1};
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t bits = random();
    expect_round_trip(static_cast<std::int64_t>(bits));
    expect_round_trip(bits);
    expect_round_trip(static_cast<std::int32_t>(bits));
    expect_round_trip(static_cast<std::uint16_t>(bits));
    expect_round_trip(static_cast<std::int8_t>(bits));
    expect_round_trip(static_cast<double>(bits) / 3);
    expect_round_trip(static_cast<float>(bits) / 3);
    expect_round_trip((bits & 1) != 0);
    expect_round_trip(std::string(bits % 40, static_cast<char>(bits)));
  }
  expect_round_trip(std::numeric_limits<std::int64_t>::min());
  expect_round_trip(std::optional<std::int32_t>{7});
  expect_round_trip(std::optional<std::int32_t>{});
  expect_round_trip(std::optional<std::string>{""});
}

TEST(codec, null_is_nullopt_and_nothing_else) {
  EXPECT_EQ(written(std::optional<std::string>{}), std::nullopt);
  EXPECT_EQ(written(std::optional<std::string>{""}), "");
  EXPECT_EQ(read<std::optional<std::string>>(std::nullopt), std::nullopt);
  EXPECT_TRUE(read<bytes>(std::nullopt).is_null());
  EXPECT_THROW(read<std::string>(std::nullopt), malformed);
  EXPECT_THROW(read<std::int32_t>(std::nullopt), malformed);
}

TEST(codec, refuses_other_sizes) {
  EXPECT_THROW(read<std::int32_t>("abc"), malformed);
  EXPECT_THROW(read<std::int64_t>("abcdefghi"), malformed);
  EXPECT_THROW(read<double>(""), malformed);
  EXPECT_THROW(read<bool>("\2"), malformed);
}

struct upside_down {
  static std::string decode(bytes raw) { return {raw.view().rbegin(), raw.view().rend()}; }
  static bytes encode(const std::string& value, std::string& room) { return room.assign(value.rbegin(), value.rend()); }
};

TEST(codec, of_a_topic_wins_over_the_type) {
  topology t{"test"};
  const topic<std::string, std::string> out{"out", upside_down{}, upside_down{}};
  t.from(topic<std::string, std::string>{"in", codec<std::string>{}, upside_down{}}) |
      map([](const std::string& k, const std::string& v) {
        return keyed{k, v + "!"};
      }) |
      to(out);
  running r{t};
  EXPECT_FALSE(r.push({.key = "key", .value = "value"}));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].key, "yek");
  EXPECT_EQ(sent[0].value, "!value");
}

TEST(codec, of_a_topic_sees_no_null_unless_it_says_so) {
  topology t{"test"};
  using text = std::optional<std::string>;
  t.from(topic<bytes, text>{"in", codec<bytes>{}, upside_down{}}) |
      map([](const text& v) { return v ? *v : std::string{"none"}; }) | to("out");
  running r{t};
  EXPECT_FALSE(r.push({.key{}, .value{}}));
  EXPECT_FALSE(r.push({.key{}, .value = "ab"}));
  EXPECT_THAT(r.values(), testing::ElementsAre("none", "ba"));
}

}  // namespace
}  // namespace flow
