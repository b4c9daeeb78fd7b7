#include <algorithm>
#include <memory>
#include <set>
#include <span>
#include <stdexcept>

#include <flow/dead_letter.hpp>

#include "scenario.hpp"

namespace flow::testing {
namespace {

using ::testing::Combine;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Values;
using ::testing::ValuesIn;

std::string header_of(const raw_record& of, const std::string& key) {
  for (const auto& each : of.headers)
    if (each.key == key) return each.value.value_or("null");
  return "none";
}

using keyed_values = std::map<std::optional<std::string>, values>;

/// Orders that an operator, "check", fails for are parked, and so is what a target does not take.
class parking : public scenario {
 protected:
  parking() {
    targets = {"tokyo", "oregon"};
    create("orders", 2);
  }

  /// What fails now; processes that run notice.
  void fails(const std::set<std::string>& which) { *bad_ = which; }

  topology parks(const policy& how = park_key("{topic}.dlq")) const {
    topology t{"sync"};
    t.from(topic<bytes, std::string>{"orders"}) |
        peek("check",
             [bad = bad_, tried = tried_](const std::string& value) {
               ++(*tried)[value];
               if (bad->contains(value)) throw std::runtime_error{"a bad order"};
             })
            .on_failure(how) |
        fan_out("regions", targets).on_failure(park_key("{topic}.dlq"));
    return t;
  }

  void given(const std::optional<std::string>& key, const values& all, std::int32_t partition = 0) {
    for (const auto& each : all) {
      write({"orders", partition}, {.key = key, .value = each, .headers = {{"trace", each}}});
      expected_[key].push_back(each);
    }
  }

  keyed_values by_key(const std::string& cluster, const std::string& topic) {
    keyed_values found;
    if (at(cluster, topic).empty()) return found;
    for (const auto& partition : world.read(cluster, topic))
      for (const auto& each : partition) found[each.key].push_back(each.value.value_or("null"));
    return found;
  }
  std::vector<raw_record> letters(const std::string& cluster = "tokyo") {
    std::vector<raw_record> all;
    if (at(cluster, "orders.dlq").empty()) return all;
    for (const auto& partition : world.read(cluster, "orders.dlq"))
      std::ranges::copy(partition, std::back_inserter(all));
    return all;
  }
  /// It comes to hold this of each key, in this order, and nothing more comes after that.
  AssertionResult holds(const std::string& cluster, const keyed_values& what, const std::string& topic = "orders") {
    if (eventually([&] { return by_key(cluster, topic) == what; })) world.advance(10s);
    if (by_key(cluster, topic) == what) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << topic << " on " << cluster << " holds "
                                         << ::testing::PrintToString(by_key(cluster, topic)) << ", and should hold "
                                         << ::testing::PrintToString(what);
  }
  AssertionResult everywhere(const keyed_values& what) {
    for (const auto& each : targets)
      if (auto held = holds(each, what); !held) return held;
    return ::testing::AssertionSuccess();
  }
  AssertionResult all_arrived() { return everywhere(expected_); }

  void release(const std::string& cluster, const std::string& topic = {}) { world.release(cluster, "sync", topic); }
  void release() {
    for (const auto& each : targets) release(each);
  }
  std::uint64_t parked(const std::string& instance = "one", const std::string& target = "tokyo",
                       const std::string& node = "check") const {
    for (const auto& each : working(instance, target).parked)
      if (each.node == node) return each.keys;
    return 0;
  }
  int tried(const std::string& value) const { return (*tried_)[value]; }

  keyed_values expected_;

 private:
  std::shared_ptr<std::set<std::string>> bad_ = std::make_shared<std::set<std::string>>();
  std::shared_ptr<std::map<std::string, int>> tried_ = std::make_shared<std::map<std::string, int>>();
};

TEST_F(parking, sets_a_key_aside_with_all_that_follows_and_lets_others_flow) {
  fails({"a2"});
  given("a", {"a1", "a2", "a3"});
  given("b", {"b1", "b2"});
  given("a", {"a4"});
  start("one", parks());
  EXPECT_TRUE(everywhere({{"a", {"a1"}}, {"b", {"b1", "b2"}}}));
  for (const auto& target : targets) {
    EXPECT_TRUE(holds(target, {{"a", {"a2", "a3", "a4"}}}, "orders.dlq"));
    const auto all = letters(target);
    EXPECT_EQ(header_of(all[0], "flow.reason"), "failed");
    EXPECT_EQ(header_of(all[0], "flow.attempts"), "1");
    EXPECT_EQ(header_of(all[1], "flow.reason"), "parked");
    EXPECT_EQ(header_of(all[1], "flow.attempts"), "0");
    EXPECT_EQ(header_of(all[1], "flow.node"), "check");
    EXPECT_EQ(header_of(all[1], "trace"), "a3");
    EXPECT_EQ(parked("one", target), 1u);
  }
  EXPECT_EQ(tried("a3"), 0);
  EXPECT_EQ(tried("a4"), 0);
  EXPECT_TRUE(ready("one"));
  EXPECT_TRUE(said("check: parks the key of offset 1 of orders/0"));
}

TEST_F(parking, writes_what_was_parked_in_order_once_it_is_released_and_goes_on) {
  fails({"a2"});
  given("a", {"a1", "a2", "a3"});
  given("b", {"b1"});
  start("one", parks());
  EXPECT_TRUE(everywhere({{"a", {"a1"}}, {"b", {"b1"}}}));
  fails({});
  given("a", {"a4"});
  release();
  given("a", {"a5"});
  EXPECT_TRUE(all_arrived());
  EXPECT_TRUE(eventually([&] { return parked() == 0; }));
  given("a", {"a6"});
  EXPECT_TRUE(all_arrived());
  for (const auto& partition : world.read("tokyo", "orders"))
    for (const auto& each : partition) EXPECT_EQ(each.headers, (std::vector<raw_header>{{"trace", each.value}}));
}

TEST_F(parking, holds_on_each_target_alone_until_that_is_released) {
  fails({"a1"});
  given("a", {"a1", "a2"});
  start("one", parks());
  EXPECT_TRUE(eventually([&] { return parked("one", "tokyo") == 1 && parked("one", "oregon") == 1; }));
  fails({});
  release("tokyo");
  EXPECT_TRUE(holds("tokyo", expected_));
  given("a", {"a3"});
  EXPECT_TRUE(holds("tokyo", expected_));
  EXPECT_TRUE(holds("oregon", {}));
  release("oregon");
  EXPECT_TRUE(all_arrived());
  given("a", {"a4"});
  EXPECT_TRUE(all_arrived());
}

TEST_F(parking, of_a_record_without_a_key_sets_aside_nothing_else) {
  fails({"n1", "e1"});
  given(std::nullopt, {"n1", "n2"});
  given("", {"e1", "e2"});
  start("one", parks());
  EXPECT_TRUE(everywhere({{std::nullopt, {"n2"}}}));
  EXPECT_TRUE(holds("tokyo", {{std::nullopt, {"n1"}}, {"", {"e1", "e2"}}}, "orders.dlq"));
  EXPECT_EQ(parked(), 1u);
  fails({});
  release();
  EXPECT_TRUE(everywhere({{std::nullopt, {"n2"}}, {"", {"e1", "e2"}}}));
}

TEST_F(parking, comes_after_all_tries) {
  fails({"a1"});
  given("a", {"a1", "a2"});
  start("one", parks(retry(3, {10ms, 20ms}).then(park_key("{topic}.dlq"))));
  EXPECT_TRUE(eventually([&] { return letters().size() == 2; }));
  EXPECT_EQ(header_of(letters()[0], "flow.attempts"), "4");
  fails({});
  release();
  EXPECT_TRUE(all_arrived());
}

TEST_F(parking, goes_on_for_what_fails_again_from_there_on) {
  fails({"a1", "a3"});
  given("a", {"a1", "a2", "a3", "a4"});
  given("b", {"b1"});
  start("one", parks());
  EXPECT_TRUE(eventually([&] { return letters("tokyo").size() == 4 && letters("oregon").size() == 4; }));
  fails({"a3"});
  release();
  EXPECT_TRUE(everywhere({{"a", {"a1", "a2"}}, {"b", {"b1"}}}));
  EXPECT_TRUE(holds("tokyo", {{"a", {"a1", "a2", "a3", "a4", "a3", "a4"}}}, "orders.dlq"));
  EXPECT_EQ(parked(), 1u);
  EXPECT_EQ(header_of(letters()[4], "flow.reason"), "failed");
  EXPECT_EQ(header_of(letters()[4], "flow.offset"), "2");
  EXPECT_EQ(tried("a4"), 0);
  release();
  EXPECT_TRUE(eventually([&] { return letters().size() == 8; }));
  EXPECT_EQ(header_of(letters()[6], "flow.attempts"), "2");
  given("a", {"a5"});
  fails({});
  release();
  EXPECT_TRUE(all_arrived());
}

TEST_F(parking, with_nothing_parked_a_release_changes_nothing) {
  given("a", {"a1"});
  start("one", parks());
  EXPECT_TRUE(all_arrived());
  release();
  world.advance(5s);
  fails({"a2"});
  given("a", {"a2", "a3"});
  EXPECT_TRUE(eventually([&] { return parked() == 1; }));
  world.advance(10s);
  EXPECT_EQ(parked(), 1u);
}

TEST_F(parking, is_carried_out_by_whoever_comes_after_the_command) {
  fails({"a1"});
  given("a", {"a1", "a2"});
  start("one", parks());
  EXPECT_TRUE(eventually([&] { return parked("one", "tokyo") == 1 && parked("one", "oregon") == 1; }));
  stop("one");
  release();
  given("a", {"a3"});
  fails({});
  start("two", parks());
  EXPECT_TRUE(all_arrived());
}

TEST_F(parking, moves_with_its_lane) {
  fails({"a1"});
  given("a", {"a1"});
  start("one", parks());
  EXPECT_TRUE(eventually([&] { return letters("tokyo").size() == 1 && letters("oregon").size() == 1; }));
  world.crash("one");
  world.lose_state("one");
  given("a", {"a2"});
  fails({});
  start("two", parks());
  EXPECT_TRUE(eventually([&] { return letters("tokyo").size() == 2 && letters("oregon").size() == 2; }));
  EXPECT_EQ(tried("a2"), 0);
  EXPECT_TRUE(everywhere({}));
  release();
  EXPECT_TRUE(all_arrived());
}

TEST_F(parking, of_one_topic_is_released_without_the_others) {
  create("bills", 1);
  topology t{"sync"};
  t.from(topics<bytes, std::string>{{"orders", "bills"}}) |
      peek("check", [](const std::string&) { throw std::runtime_error{"bad"}; }).on_failure(park_key("letters")) |
      fan_out("regions", targets);
  given("a", {"a1", "a2"});
  write({"bills", 0}, {.key = "a", .value = "bill"});
  start("one", t);
  EXPECT_TRUE(eventually([&] { return parked() == 2 && parked("one", "oregon") == 2; }));
  release("tokyo", "bills");
  EXPECT_TRUE(eventually([&] { return said("tokyo: releases 1 keys of bills/0"); }));
  world.advance(5s);
  EXPECT_FALSE(said("keys of orders/0"));
  EXPECT_EQ(by_key("tokyo", "letters").at("a").size(), 4u);
}

TEST_F(parking, of_what_one_target_refuses_is_that_targets_alone) {
  world.create_topic("tokyo", "orders", 2, {{"max.message.bytes", "500"}});
  given("a", {"a1"});
  given("a", {std::string(1000, 'x')});
  given("a", {"a2"});
  given("b", {"b1"});
  start("one", parks());
  EXPECT_TRUE(holds("oregon", expected_));
  EXPECT_TRUE(holds("tokyo", {{"a", {"a1"}}, {"b", {"b1"}}}));
  EXPECT_EQ(parked("one", "tokyo", "regions"), 1u);
  EXPECT_EQ(parked("one", "oregon", "regions"), 0u);
  EXPECT_EQ(header_of(letters()[0], "flow.reason"), "refused");
  EXPECT_EQ(header_of(letters()[1], "flow.reason"), "parked");
  given("a", {"a3"});
  EXPECT_TRUE(holds("oregon", expected_));
  EXPECT_TRUE(eventually([&] { return letters().size() == 3; }));
  release();
  EXPECT_TRUE(eventually([&] { return letters().size() == 6; }));
  EXPECT_EQ(header_of(letters()[3], "flow.attempts"), "2");
  EXPECT_TRUE(holds("tokyo", {{"a", {"a1"}}, {"b", {"b1"}}}));
  EXPECT_TRUE(holds("oregon", expected_));
}

TEST_F(parking, of_what_only_the_cluster_knows_to_refuse) {
  world.create_topic("tokyo", "orders", 2);
  start("one", parks());
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
  world.delete_topic("tokyo", "orders");
  world.create_topic("tokyo", "orders", 2, {{"max.message.bytes", "500"}});
  given("a", {"a1"});
  given("a", {std::string(1000, 'x')});
  given("a", {"a2"});
  given("b", {"b1"});
  EXPECT_TRUE(holds("tokyo", {{"a", {"a1"}}, {"b", {"b1"}}}));
  EXPECT_TRUE(holds("oregon", expected_));
  EXPECT_EQ(letters().size(), 2u);
}

TEST_F(parking, of_what_cannot_be_decoded_follows_the_sources_policy) {
  topology t{"sync"};
  const auto numbers = t.from(topic<bytes, std::int32_t>{"orders"}).on_failure(park_key("{topic}.dlq"));
  numbers | map("double", [](std::int32_t n) { return 2 * n; }) | fan_out("regions", targets, {.rename = "twice"});
  std::string room;
  const auto one = codec<std::int32_t>::encode(1, room).str();
  given("a", {one, "no number", one});
  start("one", t);
  EXPECT_TRUE(eventually([&] { return letters("tokyo").size() == 2 && letters("oregon").size() == 2; }));
  EXPECT_EQ(header_of(letters()[0], "flow.reason"), "undecodable");
  EXPECT_EQ(header_of(letters()[1], "flow.reason"), "parked");
  EXPECT_EQ(parked("one", "tokyo", "double"), 1u);
  release();
  EXPECT_TRUE(eventually([&] { return letters().size() == 4; }));
  EXPECT_EQ(at("tokyo", "twice")[0].size(), 1u);
}

TEST_F(parking, of_one_branch_leaves_the_others_alone) {
  topology t{"sync"};
  const auto orders = t.from(topic<bytes, std::string>{"orders"});
  auto works = std::make_shared<bool>(false);
  orders |
      peek("check",
           [works](const std::string&) {
             if (!*works) throw std::runtime_error{"bad"};
           })
          .on_failure(park_key("{topic}.dlq")) |
      fan_out("checked", targets, {.rename = "checked"});
  orders | fan_out("regions", targets);
  given("a", {"a1", "a2"});
  start("one", t);
  EXPECT_TRUE(all_arrived());
  *works = true;
  release();
  EXPECT_TRUE(holds("tokyo", expected_, "checked"));
  EXPECT_TRUE(all_arrived());
}

TEST_F(parking, stops_the_partition_that_would_park_too_much) {
  std::set<std::string> bad;
  const std::string long_key(8000, 'k');
  for (int i = 0; i < 60; ++i) {
    const auto number = std::to_string(i);
    bad.insert(number);
    write({"orders", 0}, {.key = long_key + number, .value = number});
  }
  fails(bad);
  start("one", parks());
  const auto halted = stops({"orders", 0});
  EXPECT_THAT(halted.why, HasSubstr("its key cannot be parked"));
  EXPECT_EQ(static_cast<std::uint64_t>(halted.offset), parked());
  EXPECT_TRUE(eventually([&] { return letters().size() == parked(); }));
  fails({});
  release();
  EXPECT_TRUE(eventually([&] { return at("tokyo", "orders")[0].size() == 60; }));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
  EXPECT_THAT(at("tokyo", "orders")[0], written["orders"][0]);
}

TEST_F(parking, at_a_node_that_is_gone_stops_its_partition) {
  fails({"a1"});
  given("a", {"a1"});
  start("one", parks());
  EXPECT_TRUE(eventually([&] { return parked("one", "tokyo") == 1 && parked("one", "oregon") == 1; }));
  stop("one");
  given("a", {"a2"});
  start("one", copies());
  EXPECT_THAT(stops({"orders", 0}).why, HasSubstr("1 keys are parked at 'check', which does not park"));
  stop("one");
  fails({});
  release();
  start("one", parks());
  EXPECT_TRUE(all_arrived());
}

TEST_F(parking, of_one_of_several_that_a_record_becomes_holds_back_those_behind_it) {
  topology t{"sync"};
  auto works = std::make_shared<bool>(false);
  t.from(topic<bytes, std::string>{"orders"}) | flat_map([](const std::string& value) {
    return std::vector<std::string>{value + "x", value + "y", value + "z"};
  }) |
      peek("check",
           [works](const std::string& value) {
             if (!*works && value == "a1y") throw std::runtime_error{"bad"};
           })
          .on_failure(park_key("{topic}.dlq")) |
      fan_out("regions", targets);
  given("a", {"a1", "a2"});
  start("one", t);
  EXPECT_TRUE(everywhere({{"a", {"a1x"}}}));
  EXPECT_TRUE(holds("tokyo", {{"a", {"a1", "a1", "a2", "a2", "a2"}}}, "orders.dlq"));
  *works = true;
  release();
  EXPECT_TRUE(everywhere({{"a", {"a1x", "a1y", "a1z", "a2x", "a2y", "a2z"}}}));
}

TEST_F(parking, whose_letters_are_gone_stops_its_partition) {
  fails({"a1"});
  given("a", {"a1"});
  start("one", parks());
  EXPECT_TRUE(eventually([&] { return letters("tokyo").size() == 1; }));
  world.recreate_topic("tokyo", "orders.dlq");
  release("tokyo");
  const auto halted = stops({"orders", 0});
  EXPECT_THAT(halted.why, HasSubstr("orders.dlq/0 ends at 0, and letters of 1 parked keys lay behind that"));
  EXPECT_EQ(parked(), 1u);
}

TEST_F(parking, is_kept_at_least_once_without_transactions) {
  options.promised = guarantee::at_least_once;
  fails({"a1"});
  given("a", {"a1", "a2"});
  given("b", {"b1"});
  start("one", parks());
  EXPECT_TRUE(everywhere({{"b", {"b1"}}}));
  fails({});
  release();
  given("a", {"a3"});
  EXPECT_TRUE(all_arrived());
}

TEST_F(parking, waits_for_letters_that_cannot_be_read_and_holds_nobody_else_up) {
  fails({"a1"});
  given("a", {"a1"});
  start("one", parks());
  EXPECT_TRUE(eventually([&] { return letters("tokyo").size() == 1; }));
  world.stall("tokyo", {"orders.dlq", 0});
  fails({});
  release("tokyo");
  world.advance(3s);
  given("b", {"b1"}, 1);
  EXPECT_TRUE(holds("oregon", {{"b", {"b1"}}}));
  EXPECT_TRUE(eventually([&] { return by_key("tokyo", "orders")["b"].size() == 1; }));
  world.recover("tokyo", {"orders.dlq", 0});
  EXPECT_TRUE(holds("tokyo", expected_));
}

/// A process ends at each step of its transactions while it parks or releases, and another goes on.
using crash = std::tuple<std::string_view, int>;
class parking_that_is_broken_off : public parking, public ::testing::WithParamInterface<crash> {};
INSTANTIATE_TEST_SUITE_P(at, parking_that_is_broken_off,
                         Combine(ValuesIn(std::span{steps}.subspan(1)), Values(1, 2, 3, 4)), [](const auto& each) {
                           std::string name{std::get<0>(each.param)};
                           std::ranges::replace(name, ' ', '_');
                           return name + "_" + std::to_string(std::get<1>(each.param));
                         });

TEST_P(parking_that_is_broken_off, while_keys_are_parked) {
  const auto [step, nth] = GetParam();
  fails({"a2", "b1"});
  given("a", {"a1", "a2", "a3"});
  given("b", {"b1", "b2"}, 1);
  start("one", parks());
  world.crash_at("one", step, nth);
  int more = 4;
  ASSERT_TRUE(eventually([&] { return given("a", {"a" + std::to_string(more++)}), !world.is_running("one"); }, 100ms));
  start("two", parks());
  given("b", {"b3"}, 1);
  EXPECT_TRUE(everywhere({{"a", {"a1"}}}));
  fails({});
  release();
  EXPECT_TRUE(all_arrived());
}

TEST_P(parking_that_is_broken_off, while_they_are_released) {
  const auto [step, nth] = GetParam();
  fails({"a2", "b1", "a5"});
  given("a", {"a1", "a2", "a3", "a4", "a5", "a6"});
  given("b", {"b1", "b2"}, 1);
  start("one", parks());
  EXPECT_TRUE(eventually([&] { return letters("tokyo").size() == 7 && letters("oregon").size() == 7; }));
  world.advance(3s);
  fails({"a5"});
  release();
  world.crash_at("one", step, nth);
  int more = 7;
  ASSERT_TRUE(eventually([&] { return given("a", {"a" + std::to_string(more++)}), !world.is_running("one"); }, 100ms));
  start("two", parks());
  EXPECT_TRUE(everywhere({{"a", {"a1", "a2", "a3", "a4"}}, {"b", {"b1", "b2"}}}));
  fails({});
  release();
  EXPECT_TRUE(all_arrived());
}

}  // namespace
}  // namespace flow::testing
