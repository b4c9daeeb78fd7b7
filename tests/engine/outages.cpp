#include "scenario.hpp"

#include "simulation.hpp"

namespace flow::testing {
namespace {

/// Clusters that nobody can reach for a while.
class outages : public scenario {
 protected:
  outages() {
    targets = {"tokyo", "oregon"};
    create("orders", 4);
    write("orders", 3);
  }
  /// Only oregon holds everything that was written.
  bool oregon_goes_on() {
    return eventually([&] { return at("oregon", "orders") == written["orders"]; });
  }
};

TEST_F(outages, of_a_target_hold_up_no_other_and_are_caught_up_with) {
  start("one");
  start("two");
  ASSERT_TRUE(copied("orders"));
  const auto before = at("tokyo", "orders");
  world.cut("tokyo");
  for (int i = 0; i < 20; ++i) write("orders", 3), world.advance(2s);
  EXPECT_TRUE(oregon_goes_on());
  EXPECT_EQ(at("tokyo", "orders"), before);
  EXPECT_FALSE(ready("one"));
  EXPECT_TRUE(working("one", "oregon").ready);
  world.heal("tokyo");
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one") && ready("two"));
}

TEST_F(outages, are_not_what_a_target_has_that_is_far_away) {
  memory::faults far;
  far.request = far.answer = {600ms, 600ms};
  world.internals().cluster("tokyo").set_faults(far);
  start("one");
  EXPECT_TRUE(copied("orders"));
  stop("one");
  start("two");
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
}

TEST_F(outages, of_a_target_from_the_beginning_are_caught_up_with) {
  world.cut("tokyo");
  start("one");
  EXPECT_TRUE(oregon_goes_on());
  EXPECT_FALSE(ready("one"));
  world.heal("tokyo");
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(outages, of_a_target_during_which_the_process_crashed_are_caught_up_with) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  world.cut("tokyo");
  write("orders", 3);
  ASSERT_TRUE(oregon_goes_on());
  world.crash("one");
  write("orders", 3);
  start("one");
  EXPECT_TRUE(oregon_goes_on());
  world.heal("tokyo");
  EXPECT_TRUE(copied("orders"));
}

// So much that the target which does not take it leaves the common reading.
TEST_F(outages, of_a_target_leave_the_counts_of_what_was_read_alone) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  world.cut("tokyo");
  for (int i = 0; i < 100; ++i)
    write({"orders", i % 4}, {.key = "k", .value = std::to_string(i) + std::string(100'000, 'x')});
  ASSERT_TRUE(oregon_goes_on());
  world.heal("tokyo");
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(world.status("one").nodes.at(0).received, 12u + 100u);
}

// Each of them falls behind by turns, and has to be read for separately.
TEST_F(outages, of_one_target_after_the_other_count_each_record_once) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  for (int i = 0; i < 400; ++i) {
    if (i % 50 == 0) world.heal(targets[i / 50 % 2]), world.cut(targets[(i / 50 + 1) % 2]);
    write({"orders", i % 4}, {.key = "k", .value = std::to_string(i) + std::string(100'000, 'x')});
    world.advance(10ms);
  }
  for (const auto& each : targets) world.heal(each);
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(world.status("one").nodes.at(0).received, 12u + 400u);
}

TEST_F(outages, of_home_are_waited_for) {
  start("one");
  start("two");
  ASSERT_TRUE(copied("orders"));
  world.cut("home");
  write("orders", 3);
  world.advance(60s);
  EXPECT_NE(at("tokyo", "orders"), written["orders"]);
  world.heal("home");
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one") && ready("two"));
}

TEST_F(outages, of_home_at_the_start_are_told_and_waited_for) {
  world.cut("home");
  start("one");
  ASSERT_TRUE(eventually([&] { return world.status("one").trouble.has_value(); }));
  EXPECT_FALSE(ready("one"));
  world.heal("home");
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(outages, of_everything_are_waited_for) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  for (const auto* each : {"home", "tokyo", "oregon"}) world.cut(each);
  write("orders", 3);
  world.advance(60s);
  for (const auto* each : {"oregon", "tokyo", "home"}) world.heal(each), world.advance(20s);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(outages, hold_up_no_stop_for_long) {
  for (const auto* cluster : {"home", "tokyo", "oregon"}) {
    start("one");
    ASSERT_TRUE(copied("orders"));
    world.cut(cluster);
    write("orders", 3);
    world.advance(100ms);
    world.stop("one");
    EXPECT_TRUE(world.run_until([&] { return !world.is_running("one"); }, 30s)) << cluster;
    world.heal(cluster);
  }
  start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(outages, that_come_and_go_repeat_nothing) {
  start("one");
  for (int i = 0; i < 40; ++i) {
    write("orders");
    world.cut(targets[world.random() % 2]);
    world.advance(world.random() % 12 * 1s);
    for (const auto& each : targets) world.heal(each);
    world.advance(world.random() % 500 * 1ms);
  }
  EXPECT_TRUE(copied("orders"));
}

}  // namespace
}  // namespace flow::testing
