#include <algorithm>

#include "scenario.hpp"
#include "simulation.hpp"

namespace flow::testing {
namespace {

/// Targets that somebody has paused for a while.
class pauses : public scenario {
 protected:
  pauses() {
    targets = {"tokyo", "oregon"};
    create("orders", 4);
    write("orders", 3);
  }
  void pause(const std::string& instance, const std::string& target = "tokyo") {
    world.pause(instance, target);
    EXPECT_TRUE(eventually([&] { return working(instance, target).paused; })) << target << " does not pause";
  }
  bool has_all(const std::string& target) {
    return eventually([&] { return at(target, "orders") == written["orders"]; });
  }
  /// All that there is on a cluster, positions too.
  std::size_t held_by(const std::string& cluster) {
    std::size_t records = 0;
    for (const auto* topic : {"orders", "sync.home.lanes.internal"})
      for (const auto& partition : at(cluster, topic)) records += partition.size();
    return records;
  }
};

TEST_F(pauses, write_nothing_more_and_lose_and_repeat_nothing) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  pause("one");
  const auto before = held_by("tokyo");
  for (int i = 0; i < 20; ++i) write("orders", 3), world.advance(2s);
  EXPECT_EQ(held_by("tokyo"), before);
  world.resume("one", "tokyo");
  EXPECT_TRUE(copied("orders"));
  EXPECT_FALSE(working("one").paused);
  EXPECT_TRUE(ready("one"));
}

TEST_F(pauses, hold_up_no_other_target) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  pause("one");
  for (int i = 0; i < 100; ++i) {
    write({"orders", i % 4}, {.key = "k", .value = std::to_string(i) + std::string(100'000, 'x')});
    const auto sent = world.wall_clock();
    ASSERT_TRUE(has_all("oregon"));
    EXPECT_LE(world.wall_clock() - sent, 200) << "record " << i;
  }
  world.resume("one", "tokyo");
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(world.status("one").nodes.at(0).received, 12u + 100u) << "what is caught up with counts once";
}

TEST_F(pauses, are_shown_and_no_reason_not_to_be_ready) {
  start("one");
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  EXPECT_FALSE(working("one").paused);
  pause("one");
  EXPECT_TRUE(ready("one"));
  EXPECT_FALSE(working("one").ready);
  EXPECT_EQ(working("one").lanes.size(), 4u);
  EXPECT_FALSE(working("one", "oregon").paused);
  EXPECT_TRUE(said("tokyo: pauses"));
  world.resume("one", "tokyo");
  EXPECT_TRUE(eventually([&] { return !working("one").paused && ready("one") && working("one").ready; }));
}

TEST_F(pauses, commit_what_is_open_first) {
  options.commit_every = 5s;
  start("one");
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  ASSERT_TRUE(copied("orders"));
  // With more to read all the time nothing but the pause ends the transaction so soon.
  ASSERT_TRUE(eventually([&] { return write("orders"), working("one").buffered > 0; }, 1ms));
  world.pause("one", "tokyo");
  ASSERT_TRUE(eventually([&] { return working("one").paused; }, 1ms));
  const auto there = at("tokyo", "orders");
  for (std::size_t p = 0; p < there.size(); ++p) EXPECT_GT(there[p].size(), 3u);
  EXPECT_EQ(working("one").buffered, 0u);
  world.resume("one", "tokyo");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(pauses, keep_the_lanes_that_the_process_has) {
  start("one");
  start("two");
  ASSERT_TRUE(copied("orders"));
  pause("one");
  for (int i = 0; i < 10; ++i) write("orders", 3), world.advance(2s);
  EXPECT_EQ(working("one").lanes.size(), 2u);
  EXPECT_EQ(working("two").lanes.size(), 2u);
  std::size_t complete = 0;
  const auto there = at("tokyo", "orders");
  for (std::size_t p = 0; p < there.size(); ++p) complete += there[p] == written["orders"][p];
  EXPECT_EQ(complete, 2u) << "the other process goes on with its own, and with no others";
  world.resume("one", "tokyo");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(pauses, go_on_with_lanes_that_came_meanwhile) {
  start("one");
  start("two");
  ASSERT_TRUE(copied("orders"));
  pause("one");
  world.crash("two");
  write("orders", 3);
  ASSERT_TRUE(eventually([&] { return working("one").lanes.size() == 4; }));
  ASSERT_TRUE(has_all("oregon"));
  const auto before = at("tokyo", "orders");
  world.advance(30s);
  EXPECT_EQ(at("tokyo", "orders"), before);
  EXPECT_TRUE(working("one").paused);
  world.resume("one", "tokyo");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(pauses, give_lanes_back_that_the_group_asks_for) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  pause("one");
  write("orders", 3);
  start("two");
  ASSERT_TRUE(eventually([&] { return working("one").lanes.size() == 2 && working("two").lanes.size() == 2; }));
  EXPECT_TRUE(working("one").paused);
  world.crash("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(pauses, may_end_before_they_have_begun) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  for (int i = 0; i < 200; ++i) {
    write("orders");
    world.pause("one", "tokyo");
    world.advance(std::chrono::microseconds{world.random() % 20'000});
    world.resume("one", "tokyo");
    world.advance(std::chrono::microseconds{world.random() % 20'000});
  }
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(pauses, from_the_beginning_write_nothing) {
  start("one");
  world.pause("one", "tokyo");
  ASSERT_TRUE(has_all("oregon"));
  ASSERT_TRUE(eventually([&] { return working("one").paused && working("one").lanes.size() == 4; }));
  world.advance(30s);
  EXPECT_EQ(held_by("tokyo"), 0u);
  EXPECT_TRUE(ready("one"));
  world.resume("one", "tokyo");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(pauses, of_a_target_that_is_away_come_to_an_end_too) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  world.cut("tokyo");
  write("orders", 3);
  world.advance(5s);
  EXPECT_FALSE(ready("one"));
  pause("one");
  EXPECT_TRUE(ready("one"));
  world.heal("tokyo");
  world.resume("one", "tokyo");
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(pauses, are_over_with_the_process) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  pause("one");
  write("orders", 3);
  stop("one");
  start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(pauses, find_partitions_that_came_meanwhile) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  pause("one");
  world.add_partitions("home", "orders", 6);
  written["orders"].resize(6);
  write("orders", 3);
  ASSERT_TRUE(has_all("oregon"));
  EXPECT_EQ(at("tokyo", "orders").size(), 4u);
  world.resume("one", "tokyo");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(pauses, leave_topics_set_as_they_are) {
  start("one", copies({"orders"}, {.sync_settings = {"retention.ms"}}));
  ASSERT_TRUE(copied("orders"));
  pause("one");
  world.change_settings("home", "orders", {{"retention.ms", "5000"}});
  const auto retention = [&](const std::string& target) {
    return world.internals().cluster(target).inside()->topics().find("orders")->second.settings().at("retention.ms");
  };
  ASSERT_TRUE(eventually([&] { return retention("oregon") == "5000"; }, 1s));
  world.advance(60s);
  EXPECT_NE(retention("tokyo"), "5000");
  world.resume("one", "tokyo");
  EXPECT_TRUE(eventually([&] { return retention("tokyo") == "5000"; }, 1s));
}

TEST_F(pauses, stop_a_partition_whose_records_are_deleted_meanwhile) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  pause("one");
  write("orders", 3);
  ASSERT_TRUE(has_all("oregon"));
  world.delete_records("home", "orders", 0, 5);
  world.resume("one", "tokyo");
  EXPECT_THAT(stops(orders_0).why, HasSubstr("offsets 3..4 are gone"));
  EXPECT_TRUE(eventually([&] { return at("tokyo", "orders").at(1) == written["orders"][1]; }));
}

TEST_F(pauses, of_an_ordered_sink_deliver_nothing_and_repeat_nothing) {
  topology t{"sync"};
  auto orders = t.from(topic<bytes, bytes>{"orders"});
  orders | ordered_sink("crm", [](const delivery&) {});
  orders | fan_out("regions", targets);
  world.destination("crm", [](const delivery&) { return receipt::done(); });
  start("one", t);
  const auto delivered = [&] { return world.arrivals("crm").size(); };
  ASSERT_TRUE(eventually([&] { return delivered() == 12; }));
  world.pause("one", "home", "crm");
  const auto is_paused = [&] {
    return std::ranges::any_of(world.status("one").targets,
                               [](const auto& each) { return each.sink == "crm" && each.paused; });
  };
  ASSERT_TRUE(eventually(is_paused));
  write("orders", 3);
  ASSERT_TRUE(copied("orders"));
  EXPECT_EQ(delivered(), 12u);
  world.resume("one", "home", "crm");
  ASSERT_TRUE(eventually([&] { return delivered() == 24; }));
  world.advance(30s);
  EXPECT_EQ(delivered(), 24u);
}

}  // namespace
}  // namespace flow::testing
