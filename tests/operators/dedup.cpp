#include <flow/testing.hpp>

#include "running.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

struct event {
  std::string id;
  int number = 0;
};

std::vector<int> numbers(auto& driver) {
  std::vector<int> all;
  for (const auto& each : driver.take()) all.push_back(each.value.number);
  return all;
}

TEST(dedup, lets_the_first_of_each_id_through) {
  auto d = testing::drive<int, event>([](auto s) { return s | dedup("seen", &event::id, 24h); });
  d.push(1, {"a", 1}, 0h);
  d.push(2, {"b", 2}, 1h);
  d.push(3, {"a", 3}, 23h);
  EXPECT_THAT(numbers(d), ElementsAre(1, 2));
}

TEST(dedup, looks_back_over_the_window_and_no_further) {
  auto d = testing::drive<int, event>([](auto s) { return s | dedup("seen", &event::id, 24h); });
  d.push(1, {"a", 1}, 0h);
  d.push(1, {"a", 2}, 24h);
  d.push(1, {"a", 3}, 49h);
  EXPECT_THAT(numbers(d), ElementsAre(1, 3));
}

TEST(dedup, counts_what_it_drops_as_having_been_there) {
  auto d = testing::drive<int, event>([](auto s) { return s | dedup("seen", &event::id, 24h); });
  for (int i = 0; i < 10; ++i) d.push(1, {"a", i}, std::chrono::hours{20 * i});
  EXPECT_THAT(numbers(d), ElementsAre(0));
}

TEST(dedup, drops_what_comes_late_as_well) {
  auto d = testing::drive<int, event>([](auto s) { return s | dedup("seen", &event::id, 24h); });
  d.push(1, {"a", 1}, 30h);
  d.push(1, {"a", 2}, 10h);
  EXPECT_THAT(numbers(d), ElementsAre(1));
}

TEST(dedup, takes_ids_of_any_kind) {
  topology t{"test"};
  const auto s = t.from(topic<bytes, std::string>{"in"});
  s | dedup("by-key", [](bytes key, const std::string&) { return key; }, 1h) | to("a");
  s | dedup("by-number", [](const std::string& value) { return value.size(); }, 1h) | to("b");
  s | dedup("by-offset", [](const record<bytes, std::string>& r) { return r.origin().offset; }, 1h) | to("c");
  running r{t};
  EXPECT_FALSE(r.push({.key = "k", .value = "one", .offset = 1}));
  EXPECT_EQ(r.take().size(), 3u);
  EXPECT_FALSE(r.push({.key = "k", .value = "two", .offset = 2}));
  EXPECT_EQ(r.take().size(), 1u);
  EXPECT_EQ(r.counts("by-key").dropped, 1u);
}

TEST(dedup, lets_through_what_has_no_id_and_counts_it) {
  topology t{"test"};
  t.from(topic<bytes, std::string>{"in"}) |
      dedup("seen", [](const std::string& value) { return value == "none" ? std::nullopt : std::optional{value}; }, 1h) |
      to("out");
  running r{t};
  std::int64_t offset = 0;
  for (const auto text : {"none", "none", "", "", "x", "x"}) EXPECT_FALSE(r.push({.value = text, .offset = ++offset}));
  EXPECT_EQ(r.take().size(), 4u + 1u);
  EXPECT_EQ(r.counts("seen").without_id, 4u);
}

TEST(dedup, does_not_see_the_record_itself_when_it_is_tried_again) {
  topology t{"test"};
  int left = 1;
  t.from(topic<bytes, std::string>{"in"}) | dedup("seen", std::identity{}, 1h) |
      peek("ask", [&left](const std::string&) { if (left-- > 0) throw std::runtime_error{"no"}; }).on_failure(retry(3)) |
      to("out");
  running r{t};
  EXPECT_TRUE(r.push(value("x")));
  EXPECT_FALSE(r.push(value("x")));
  EXPECT_EQ(r.take().size(), 1u);
}

TEST(dedup, has_a_window) {
  topology t{"test"};
  t.from(topic<bytes, std::string>{"in"}) | dedup("seen", std::identity{}, 0h) | to("out");
  EXPECT_THROW(t.build(), topology_error);
}

}  // namespace
}  // namespace flow
