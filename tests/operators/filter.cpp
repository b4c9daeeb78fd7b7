#include <random>

#include "running.hpp"

namespace flow {
namespace {

TEST(filter, keeps_what_the_predicate_is_true_for) {
  std::mt19937 random{1};
  auto r = stage<bytes, std::int32_t>([](auto s) { return s | filter("even", [](int n) { return n % 2 == 0; }); });
  std::vector<std::string> expected;
  for (int i = 0; i < 500; ++i) {
    const auto n = static_cast<std::int32_t>(random());
    std::string room;
    const std::string raw = codec<std::int32_t>::encode(n, room).str();
    if (n % 2 == 0) expected.push_back(raw);
    EXPECT_FALSE(r.push(value(raw)));
  }
  EXPECT_EQ(r.counts("even").received, 500u);
  EXPECT_EQ(r.counts("even").dropped, 500 - expected.size());
  EXPECT_EQ(r.values(), expected);
}

struct order {
  std::string region;
  bool is_paid() const { return region == "eu"; }
};

}  // namespace

template <>
struct codec<order> {
  static order decode(bytes raw) { return {raw.str()}; }
  static bytes encode(const order& o, std::string&) { return o.region; }
};

namespace {

TEST(filter, takes_key_and_value_the_record_or_a_member) {
  auto by_both = stage<std::string, std::string>(
      [](auto s) { return s | filter([](const std::string& k, const std::string& v) { return k == v; }); });
  EXPECT_FALSE(by_both.push({.key = "a", .value = "a"}));
  EXPECT_FALSE(by_both.push({.key = "a", .value = "b"}));
  EXPECT_THAT(by_both.values(), testing::ElementsAre("a"));

  auto by_record = stage<bytes, bytes>([](auto s) {
    return s | filter([](const record<bytes, bytes>& r) { return r.timestamp() > 5 && r.headers().size() == 1; });
  });
  EXPECT_FALSE(by_record.push({.value = "old", .timestamp = 5, .headers = {{"h", "v"}}}));
  EXPECT_FALSE(by_record.push({.value = "new", .timestamp = 6, .headers = {{"h", "v"}}}));
  EXPECT_FALSE(by_record.push({.value = "bare", .timestamp = 6}));
  EXPECT_THAT(by_record.values(), testing::ElementsAre("new"));

  auto by_member = stage<bytes, order>([](auto s) { return s | filter(&order::is_paid); });
  EXPECT_FALSE(by_member.push(value("eu")));
  EXPECT_FALSE(by_member.push(value("us")));
  EXPECT_THAT(by_member.values(), testing::ElementsAre("eu"));
}

}  // namespace
}  // namespace flow
