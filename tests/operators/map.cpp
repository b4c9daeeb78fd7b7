#include <string_view>

#include "running.hpp"

namespace flow {
namespace {

std::string text_of(std::size_t n) {
  return std::to_string(n);
}

TEST(map, gives_a_new_value_and_keeps_the_rest) {
  auto r = stage<bytes, std::string>([](auto s) { return s | map([](const std::string& v) { return v + v; }); });
  EXPECT_FALSE(r.push({.key = "k", .value = "ab", .partition = 7, .timestamp = 42, .headers = {{"h", std::nullopt}}}));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].key, "k");
  EXPECT_EQ(sent[0].value, "abab");
  EXPECT_EQ(sent[0].timestamp, 42);
  EXPECT_FALSE(sent[0].is_hashed);
  EXPECT_EQ(sent[0].partition, 7);
  EXPECT_THAT(sent[0].headers, testing::ElementsAre(testing::Pair("h", std::nullopt)));
}

TEST(map, gives_a_new_key_with_keyed) {
  auto r = stage<bytes, std::string>([](auto s) {
    return s | map([](const std::string& v) { return keyed{v.substr(0, 1), v.size()}; }) | map(text_of);
  });
  EXPECT_FALSE(r.push({.key = "k", .value = "abc", .partition = 7}));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].key, "a");
  EXPECT_EQ(sent[0].value, "3");
  EXPECT_TRUE(sent[0].is_hashed);
  EXPECT_EQ(sent[0].hash, key_hash("a"));
}

TEST(map, may_return_what_looks_at_its_argument) {
  auto r = stage<std::string, std::string>([](auto s) {
    return s | map([](const std::string& v) { return v + "!"; }) |
           map([](const std::string& v) { return std::string_view{v}.substr(1); }) |
           map([](std::string_view v) { return bytes{v.substr(1)}; });
  });
  EXPECT_FALSE(r.push(value("abcd")));
  EXPECT_FALSE(r.push(value(std::string(100, 'x') + "end")));
  EXPECT_THAT(r.values(), testing::ElementsAre("cd!", std::string(98, 'x') + "end!"));
}

TEST(map, may_return_a_look_at_the_key) {
  auto r = stage<std::string, std::string>([](auto s) {
    return s | map([](const std::string& v) {
             return keyed{v, v};
           }) |
           map([](const std::string& k, const std::string&) { return std::string_view{k}; });
  });
  EXPECT_FALSE(r.push(value("short")));
  EXPECT_THAT(r.values(), testing::ElementsAre("short"));
}

TEST(map, keeps_text_that_is_returned_as_a_pointer) {
  auto r = stage<bytes, bytes>([](auto s) { return s | map([](bytes) { return "text"; }); });
  EXPECT_FALSE(r.push(value("x")));
  EXPECT_THAT(r.values(), testing::ElementsAre("text"));
}

TEST(map, writes_null_for_nullopt) {
  auto r = stage<bytes, std::string>(
      [](auto s) { return s | map([](const std::string& v) { return v.empty() ? std::nullopt : std::optional{v}; }); });
  EXPECT_FALSE(r.push(value("")));
  EXPECT_FALSE(r.push(value("a")));
  EXPECT_THAT(r.values(), testing::ElementsAre("null", "a"));
}

}  // namespace
}  // namespace flow
