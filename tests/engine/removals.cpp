#include <algorithm>

#include "scenario.hpp"

namespace flow::testing {
namespace {

/// Targets that are removed and added while the program runs.
class removals : public scenario {
 protected:
  removals() {
    targets = {"tokyo", "oregon"};
    create("orders", 4);
    write("orders", 3);
  }
  void remove(const std::string& instance, const std::string& target = "tokyo") {
    world.remove(instance, target);
    EXPECT_TRUE(eventually([&] { return working(instance, target).removed; })) << target << " is still there";
  }
  /// Begins with oregon alone, which has got what there is.
  void start_without_tokyo(const std::string& instance = "one") {
    start(instance);
    world.remove(instance, "tokyo");
    EXPECT_TRUE(has_all("oregon"));
  }
  bool has_all(const std::string& target) {
    return eventually([&] { return at(target, "orders") == written["orders"]; });
  }
  /// Of each partition what was written from its `first` on.
  contents from(std::size_t first) {
    auto all = written["orders"];
    for (auto& each : all) each.erase(each.begin(), each.begin() + static_cast<std::ptrdiff_t>(first));
    return all;
  }
  AssertionResult tokyo_gets(const contents& what) {
    if (eventually([&] { return at("tokyo", "orders") == what; })) world.advance(30s);
    if (at("tokyo", "orders") == what) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "tokyo holds " << ::testing::PrintToString(at("tokyo", "orders"))
                                         << ", and should hold " << ::testing::PrintToString(what);
  }
};

TEST_F(removals, write_nothing_more_and_are_shown) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  remove("one");
  EXPECT_TRUE(ready("one"));
  EXPECT_THAT(working("one").lanes, IsEmpty());
  const auto before = at("tokyo", "orders");
  const auto positions = at("tokyo", "sync.home.lanes.internal");
  for (int i = 0; i < 10; ++i) write("orders", 3), world.advance(2s);
  EXPECT_TRUE(has_all("oregon"));
  EXPECT_EQ(at("tokyo", "orders"), before);
  EXPECT_EQ(at("tokyo", "sync.home.lanes.internal"), positions);
}

TEST_F(removals, commit_what_is_open_and_leave_the_lanes_to_others_at_once) {
  start("one");
  start("two");
  ASSERT_TRUE(copied("orders"));
  write("orders", 3);
  const auto begin = world.wall_clock();
  world.remove("one", "tokyo");
  ASSERT_TRUE(eventually([&] { return working("two").lanes.size() == 4; }));
  EXPECT_LT(world.wall_clock() - begin, 3000) << "its session is 4 s, and was not waited for";
  EXPECT_EQ(working("one", "oregon").lanes.size(), 2u);
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
}

TEST_F(removals, are_taken_back_where_their_positions_are) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  remove("one");
  write("orders", 3);
  ASSERT_TRUE(has_all("oregon"));
  world.add("one", "tokyo", end);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
  EXPECT_FALSE(working("one").removed);
}

TEST_F(removals, and_additions_in_any_order_lose_and_repeat_nothing) {
  start("one");
  start("two");
  for (int i = 0; i < 100; ++i) {
    write("orders");
    const auto* who = world.random() % 2 == 0 ? "one" : "two";
    if (world.random() % 2 == 0)
      world.remove(who, "tokyo");
    else
      world.add(who, "tokyo", beginning);
    world.advance(std::chrono::microseconds{world.random() % 1'000'000});
  }
  for (const auto* who : {"one", "two"}) world.add(who, "tokyo", beginning);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one") && ready("two"));
}

TEST_F(removals, of_a_target_that_is_away_come_to_an_end) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  world.cut("tokyo");
  write("orders", 3);
  world.advance(5s);
  remove("one");
  EXPECT_TRUE(ready("one"));
  world.heal("tokyo");
  world.add("one", "tokyo", beginning);
  EXPECT_TRUE(copied("orders"));
}

TEST_F(removals, let_a_target_that_has_refused_begin_anew) {
  world.create_topic("tokyo", "orders", 4);
  world.write("tokyo", "orders", 0, {.value = "somebody else's", .timestamp = 1});
  start("one");
  ASSERT_TRUE(
      eventually([&] { return working("one").trouble && working("one").trouble->kind == failure_kind::refused; }));
  remove("one");
  EXPECT_TRUE(ready("one"));
  world.recreate_topic("tokyo", "orders");
  world.add("one", "tokyo", beginning);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(removals, of_all_but_one_that_refuses_end_the_program) {
  world.create_topic("tokyo", "orders", 4);
  world.write("tokyo", "orders", 0, {.value = "somebody else's", .timestamp = 1});
  start("one");
  ASSERT_TRUE(has_all("oregon"));
  world.remove("one", "oregon");
  EXPECT_EQ(ends("one").kind, failure_kind::refused);
}

TEST_F(removals, of_all_wait_for_what_is_added) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  for (const auto& each : targets) remove("one", each);
  write("orders", 3);
  world.advance(30s);
  ASSERT_TRUE(world.is_running("one"));
  for (const auto& each : targets) world.add("one", each, beginning);
  EXPECT_TRUE(copied("orders"));
}

TEST_F(removals, are_over_with_the_process) {
  start("one");
  remove("one");
  stop("one");
  start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(removals, may_be_stopped) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  remove("one");
  stop("one");
  EXPECT_FALSE(world.is_running("one"));
}

TEST_F(removals, before_the_start_make_nothing_on_the_target) {
  start_without_tokyo();
  world.advance(30s);
  EXPECT_THAT(at("tokyo", "orders"), IsEmpty());
  EXPECT_THAT(at("tokyo", "sync.home.lanes.internal"), IsEmpty());
  EXPECT_TRUE(ready("one"));
}

TEST_F(removals, are_added_from_the_beginning) {
  start_without_tokyo();
  world.add("one", "tokyo", beginning);
  EXPECT_TRUE(copied("orders"));
}

TEST_F(removals, are_added_from_the_end) {
  start_without_tokyo();
  world.add("one", "tokyo", end);
  ASSERT_TRUE(eventually([&] { return working("one").ready; }));
  write("orders", 2);
  EXPECT_TRUE(tokyo_gets(from(3)));
}

TEST_F(removals, are_added_from_a_time) {
  start_without_tokyo();
  world.advance(10s);
  const std::chrono::system_clock::time_point then{std::chrono::milliseconds{world.wall_clock()}};
  write("orders", 2);
  world.add("one", "tokyo", flow::at(then));
  EXPECT_TRUE(tokyo_gets(from(3)));
}

TEST_F(removals, are_added_where_another_target_is) {
  start_without_tokyo();
  world.pause("one", "oregon");
  ASSERT_TRUE(eventually([&] { return working("one", "oregon").paused; }));
  write("orders", 2);
  world.add("one", "tokyo", place_of{"oregon"});
  EXPECT_TRUE(tokyo_gets(from(3)));
  world.resume("one", "oregon");
  EXPECT_TRUE(has_all("oregon"));
}

// Between what oregon had when it was said and what it has when tokyo begins.
TEST_F(removals, are_added_where_another_target_is_that_goes_on) {
  start_without_tokyo();
  contents then, begun;
  for (int i = 0; i < 200; ++i) {
    write("orders");
    world.advance(std::chrono::microseconds{world.random() % 20'000});
    if (i == 50) then = at("oregon", "orders"), world.add("one", "tokyo", place_of{"oregon"});
    if (i > 50 && begun.empty() && working("one").ready) begun = at("oregon", "orders");
  }
  ASSERT_FALSE(begun.empty());
  ASSERT_TRUE(has_all("oregon"));
  world.advance(30s);
  const auto there = at("tokyo", "orders");
  for (std::size_t p = 0; p < 4; ++p) {
    const auto& all = written["orders"][p];
    const auto missing = all.size() - there[p].size();
    EXPECT_EQ(there[p], values(all.begin() + static_cast<std::ptrdiff_t>(missing), all.end()));
    EXPECT_GE(missing, then[p].size());
    EXPECT_LE(missing, begun[p].size());
  }
}

TEST_F(removals, are_added_from_the_beginning_of_what_the_other_target_has_not_read) {
  start_without_tokyo();
  world.pause("one", "oregon");
  ASSERT_TRUE(eventually([&] { return working("one", "oregon").paused; }));
  world.add_partitions("home", "orders", 5);
  written["orders"].resize(5);
  write(topic_partition{"orders", 4}, 3);
  world.advance(5s);
  world.add("one", "tokyo", place_of{"oregon"});
  auto expected = from(3);
  expected[4] = written["orders"][4];
  EXPECT_TRUE(tokyo_gets(expected));
}

TEST_F(removals, are_added_where_another_target_is_once_that_can_be_asked) {
  start_without_tokyo();
  world.cut("oregon");
  world.add("one", "tokyo", place_of{"oregon"});
  world.advance(30s);
  EXPECT_FALSE(ready("one"));
  EXPECT_TRUE(working("one").trouble.has_value());
  world.heal("oregon");
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  write("orders", 2);
  EXPECT_TRUE(tokyo_gets(from(3)));
}

TEST_F(removals, read_what_appears_after_they_are_added_from_its_first_record) {
  start_without_tokyo();
  world.add_partitions("home", "orders", 5);
  written["orders"].resize(5);
  write(topic_partition{"orders", 4}, 3);
  ASSERT_TRUE(has_all("oregon"));
  world.add("one", "tokyo", end);
  ASSERT_TRUE(eventually([&] { return working("one").ready; }));
  world.add_partitions("home", "orders", 6);
  written["orders"].resize(6);
  write(topic_partition{"orders", 5}, 3);
  auto expected = from(3);
  expected[5] = written["orders"][5];
  EXPECT_TRUE(tokyo_gets(expected));
}

// Where it was to begin counts no more once its lanes have positions.
TEST_F(removals, that_were_added_go_on_after_a_crash) {
  start_without_tokyo();
  world.add("one", "tokyo", end);
  ASSERT_TRUE(eventually([&] { return working("one").ready; }));
  write("orders", 2);
  ASSERT_TRUE(tokyo_gets(from(3)));
  world.crash("one");
  write("orders", 2);
  start("one");
  EXPECT_TRUE(tokyo_gets(from(3)));
}

}  // namespace
}  // namespace flow::testing
