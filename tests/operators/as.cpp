#include "running.hpp"

namespace flow {
namespace {

struct amount {
  static inline int decoded = 0;
  int cents = 0;
};

}  // namespace

template <>
struct codec<amount> {
  static amount decode(bytes raw) {
    ++amount::decoded;
    if (raw.empty() || raw.view().find_first_not_of("0123456789") != std::string_view::npos)
      throw malformed{"is no amount"};
    return {std::stoi(raw.str())};
  }
  static bytes encode(const amount& a, std::string& room) { return room = std::to_string(a.cents); }
};

namespace {

TEST(as, decodes_when_somebody_looks_and_once) {
  auto r = stage<bytes, bytes>([](auto s) {
    return s | as<amount>() | filter([](const amount& a) { return a.cents > 10; }) |
           peek([](const amount& a) { EXPECT_GT(a.cents, 10); });
  });
  amount::decoded = 0;
  EXPECT_FALSE(r.push(value("7")));
  EXPECT_FALSE(r.push(value("12")));
  EXPECT_THAT(r.values(), testing::ElementsAre("12"));
  EXPECT_EQ(amount::decoded, 2);
}

TEST(as, forwards_byte_for_byte_what_nobody_has_changed) {
  topology t{"test"};
  t.from(topic<bytes, bytes>{"in"}) | as<amount>("amounts") | filter([](const amount&) { return true; }) | to("out");
  const auto plan = t.build();
  const auto graph = plan->open();
  arena written;
  std::vector<emission> out;
  const std::string content = "0012";
  EXPECT_FALSE(graph->push({0, "home", "in", 0}, {.key = "k", .value = content, .headers = {}},
                           {.written = written, .out = out}));
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].value.data(), content.data());
  EXPECT_EQ(out[0].value.size(), content.size());
}

TEST(as, decodes_nothing_if_nobody_looks) {
  auto r = stage<bytes, bytes>([](auto s) { return s | as<amount>(); });
  amount::decoded = 0;
  EXPECT_FALSE(
      r.push({.key = "k", .value = "no amount at all", .partition = 3, .timestamp = 9, .headers = {{"h", "1"}}}));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].value, "no amount at all");
  EXPECT_EQ(sent[0].partition, 3);
  EXPECT_EQ(sent[0].timestamp, 9);
  EXPECT_EQ(sent[0].headers.size(), 1u);
  EXPECT_EQ(amount::decoded, 0);
}

TEST(as, writes_what_has_been_changed) {
  auto r = stage<bytes, bytes>(
      [](auto s) { return s | as<amount>() | map([](const amount& a) { return amount{a.cents * 2}; }); });
  EXPECT_FALSE(r.push(value("0012")));
  EXPECT_THAT(r.values(), testing::ElementsAre("24"));
}

TEST(as, leaves_bytes_that_are_none_to_the_policy_of_the_source) {
  topology t{"test"};
  t.from("amounts", topic<bytes, bytes>{"in"}).on_failure(skip) | as<amount>() |
      map("double", [](const amount& a) { return amount{a.cents * 2}; }) | to("out");
  running r{t};
  EXPECT_FALSE(r.push(value("none")));
  EXPECT_FALSE(r.push({.key = "k", .value = std::nullopt}));
  EXPECT_TRUE(r.take().empty());
  EXPECT_EQ(r.counts("double").skipped, 2u);
}

TEST(as, takes_null_for_none_where_that_is_a_value) {
  auto r = stage<bytes, bytes>([](auto s) {
    return s | as<std::optional<amount>>() | filter([](const std::optional<amount>& a) { return !a; });
  });
  EXPECT_FALSE(r.push({.key = "k", .value = std::nullopt}));
  EXPECT_FALSE(r.push(value("1")));
  EXPECT_THAT(r.values(), testing::ElementsAre("null"));
}

TEST(as, keeps_bytes_that_an_operator_has_made) {
  topology t{"test"};
  std::string made;
  t.from(topic<bytes, bytes>{"in"}) | map([&made](bytes b) { return bytes{made = "1" + b.str()}; }) | as<amount>() |
      filter([](const amount& a) { return a.cents > 10; }) | to("out");
  const auto plan = t.build();
  const auto graph = plan->open();
  arena written;
  std::vector<emission> out;
  EXPECT_FALSE(
      graph->push({0, "home", "in", 0}, {.key = "k", .value = "2", .headers = {}}, {.written = written, .out = out}));
  made.assign(made.size(), '#');
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].value.str(), "12");
}

}  // namespace
}  // namespace flow
