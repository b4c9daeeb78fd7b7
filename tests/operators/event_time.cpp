#include "running.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;

struct order {
  std::int64_t placed_at = 0;
  std::chrono::sys_seconds shipped_at{};
};

}  // namespace

template <>
struct codec<order> {
  static order decode(bytes raw) {
    if (raw.empty()) throw malformed{"is empty"};
    const auto number = std::stoll(raw.str());
    return {number, std::chrono::sys_seconds{std::chrono::seconds{number}}};
  }
  static bytes encode(const order& o, std::string& room) { return room = std::to_string(o.placed_at); }
};

namespace {

std::int64_t time_by(event_time<std::string, order> how) {
  topology t{"test"};
  t.from(topic<std::string, order>{"in"}, {.time = std::move(how)}) | to("out");
  running r{t};
  EXPECT_FALSE(r.push({.key = "12", .value = "345", .timestamp = 7}));
  const auto sent = r.take();
  return sent.size() == 1 ? sent[0].timestamp : -1;
}

TEST(event_time, is_a_member_or_what_a_function_returns) {
  EXPECT_EQ(time_by({}), 7);
  EXPECT_EQ(time_by(&order::placed_at), 345);
  EXPECT_EQ(time_by(&order::shipped_at), 345'000);
  EXPECT_EQ(time_by([](const order& o) { return std::chrono::hours{o.placed_at}; }), 345 * 3'600'000);
  EXPECT_EQ(time_by([](const std::string& key, const order&) { return std::stoi(key); }), 12);
  EXPECT_EQ(time_by([](const record<std::string, order>& r) { return r.timestamp() + 1; }), 8);
  EXPECT_EQ(time_by([](const order&) { return std::chrono::system_clock::time_point{1999us}; }), 1);
}

TEST(event_time, is_the_records_timestamp_for_all_that_follow) {
  topology t{"test"};
  std::vector<std::int64_t> seen;
  t.from(topic<bytes, order>{"in"}, {.start = beginning, .time = &order::placed_at}) |
      peek([&seen](const record<bytes, order>& r) { seen.push_back(r.timestamp()); }) |
      dedup(
          "seen", [](const order&) { return 1; }, 10ms) |
      map([](const order& o) { return o.placed_at; }) | to("out");
  running r{t};
  std::int64_t offset = 0;
  for (const auto* at : {"100", "105", "120"}) EXPECT_FALSE(r.push({.value = at, .offset = ++offset, .timestamp = 5}));
  EXPECT_THAT(seen, testing::ElementsAre(100, 105, 120));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_EQ(sent[0].timestamp, 100);
  EXPECT_EQ(sent[1].timestamp, 120);
  EXPECT_EQ(r.plan().sources()[0].start, beginning);
  EXPECT_EQ(r.plan().nodes()[0].note, "in with a time of its own from the beginning");
}

TEST(event_time, that_cannot_be_told_is_for_the_policy_of_the_source) {
  topology t{"test"};
  t.from("orders", topic<bytes, order>{"in"}, {.time = &order::placed_at}).on_failure(dead_letter("{topic}.dlq")) |
      to("out");
  running r{t};
  EXPECT_FALSE(r.push({.value = "", .timestamp = 9}));
  EXPECT_FALSE(r.push({.value = "-5", .timestamp = 9}));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 2u);
  for (const auto& each : sent) {
    EXPECT_EQ(each.sink, "dead letters to {topic}.dlq");
    EXPECT_EQ(each.timestamp, 9);
  }
  const auto said = [](const auto& each) { return each.first == "flow.text"; };
  EXPECT_EQ(std::ranges::find_if(sent[0].headers, said)->second, "the value cannot be decoded: it is empty");
  EXPECT_EQ(std::ranges::find_if(sent[1].headers, said)->second, "its time is before 1970");
  EXPECT_EQ(r.counts("orders").dead_lettered, 2u);
}

TEST(event_time, that_fails_for_a_while_is_tried_again) {
  topology t{"test"};
  int left = 1;
  t.from("orders", topic<bytes, order>{"in"},
         {.time =
              [&left](const order& o) {
                if (left-- > 0) throw std::runtime_error{"no zone data"};
                return o.placed_at;
              }})
          .on_failure(retry(3)) |
      to("out");
  running r{t};
  const auto held = r.push({.value = "8"});
  ASSERT_TRUE(held);
  EXPECT_EQ(held->node, "orders");
  EXPECT_TRUE(held->again);
  EXPECT_FALSE(r.push({.value = "8"}));
  EXPECT_EQ(r.take().at(0).timestamp, 8);
}

[[gnu::noinline]] topology at_an_offset() {
  topology t{"test"};
  std::int64_t offset = 5;
  t.from(topic<bytes, order>{"in"}, {.time = [&](const order& o) { return o.placed_at + offset; }}) | to("out");
  return t;
}

TEST(event_time, that_refers_to_what_is_gone_is_a_flaw) {
  EXPECT_THROW(at_an_offset().build(), topology_error);
}

}  // namespace
}  // namespace flow
