#include "scenario.hpp"
#include "simulation.hpp"

namespace flow::testing {
namespace {

const topic_partition sick{"orders", 2};

/// One output partition that stores nothing for a while, and its neighbours on the same cluster.
class sick_partitions : public scenario {
 protected:
  sick_partitions() {
    options.lanes = 4;
    create("orders", 4);
    write("orders", 3);
    start("one");
    EXPECT_TRUE(copied("orders"));
  }
  /// All that was written is there, but for what goes to the sick partition.
  bool neighbours_go_on() {
    return eventually([&] {
      auto found = at("tokyo", "orders"), expected = written["orders"];
      found[2].clear(), expected[2].clear();
      return found == expected;
    });
  }
  bool falls_ill() {
    world.stall("tokyo", sick);
    write("orders");
    return neighbours_go_on();
  }
  bool heals() {
    world.recover("tokyo", sick);
    return eventually([&] {
      write("orders");
      return said("what was kept apart can be written again");
    }, 500ms);
  }
};

TEST_F(sick_partitions, hold_up_none_of_their_neighbours) {
  ASSERT_TRUE(falls_ill());
  EXPECT_TRUE(said("tokyo: orders/2 is kept apart"));
  const auto stuck = at("tokyo", "orders")[2];
  for (int i = 0; i < 20; ++i) {
    write("orders", 2);
    EXPECT_TRUE(neighbours_go_on());
  }
  EXPECT_EQ(at("tokyo", "orders")[2], stuck);
  EXPECT_FALSE(ready("one"));
}

TEST_F(sick_partitions, are_written_with_the_others_again_once_they_have_healed) {
  ASSERT_TRUE(falls_ill());
  ASSERT_TRUE(heals());
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
  // As if nothing had been: one transaction for all, once that of the healing is over.
  const auto takes_one_commit = [&] {
    const auto commits = working("one").commits;
    write("orders");
    EXPECT_TRUE(copied("orders"));
    return working("one").commits == commits + 1;
  };
  EXPECT_TRUE(takes_one_commit() || takes_one_commit());
}

TEST_F(sick_partitions, may_fall_ill_one_after_the_other) {
  ASSERT_TRUE(falls_ill());
  world.stall("tokyo", orders_0);
  write("orders", 2);
  EXPECT_TRUE(eventually([&] {
    return at("tokyo", "orders")[1] == written["orders"][1] && at("tokyo", "orders")[3] == written["orders"][3];
  }));
  world.recover("tokyo", orders_0);
  EXPECT_TRUE(eventually([&] { return write("orders"), at("tokyo", "orders")[0].size() > 10; }, 500ms));
  ASSERT_TRUE(heals());
  EXPECT_TRUE(copied("orders"));
}

TEST_F(sick_partitions, hold_up_no_neighbour_while_lanes_move_to_another_worker) {
  ASSERT_TRUE(falls_ill());
  start("two");
  write("orders", 2);
  EXPECT_TRUE(neighbours_go_on());
  world.recover("tokyo", sick);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(eventually([&] { return ready("one") && ready("two"); }));
}

TEST_F(sick_partitions, are_caught_up_with_after_a_crash) {
  ASSERT_TRUE(falls_ill());
  write("orders", 2);
  ASSERT_TRUE(neighbours_go_on());
  world.crash("one");
  world.recover("tokyo", sick);
  start("one");
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(sick_partitions, hold_up_no_neighbour_after_a_crash_either) {
  ASSERT_TRUE(falls_ill());
  world.crash("one");
  write("orders", 2);
  start("one");
  EXPECT_TRUE(neighbours_go_on());
  world.recover("tokyo", sick);
  EXPECT_TRUE(copied("orders"));
}

TEST_F(sick_partitions, hold_up_no_neighbour_while_other_workers_come_and_go) {
  ASSERT_TRUE(falls_ill());
  for (int i = 0; i < 4; ++i) {
    start("two");
    write("orders", 2);
    EXPECT_TRUE(neighbours_go_on()) << i;
    world.stop("two");
    write("orders", 2);
    EXPECT_TRUE(neighbours_go_on()) << i;
    EXPECT_TRUE(world.run_until([&] { return !world.is_running("two"); }, 120s));
  }
  world.recover("tokyo", sick);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

// What the crash leaves open under the id of the second producer is ended by the first.
TEST_F(sick_partitions, leave_nothing_open_at_a_crash_at_any_step) {
  for (const auto* step : {"begun", "sent", "offsets sent", "committed", "stored", "positions read"}) {
    ASSERT_TRUE(falls_ill());
    world.crash_at("one", step);
    world.recover("tokyo", sick);
    ASSERT_TRUE(eventually([&] { return write("orders"), !world.is_running("one"); }, 500ms)) << step;
    start("one");
    EXPECT_TRUE(copied("orders")) << step;
  }
}

TEST_F(sick_partitions, hold_up_no_stop_for_long) {
  ASSERT_TRUE(falls_ill());
  world.stop("one");
  EXPECT_TRUE(world.run_until([&] { return !world.is_running("one"); }, 60s));
  world.recover("tokyo", sick);
  start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(sick_partitions, that_come_and_go_lose_and_repeat_nothing) {
  auto& tokyo = world.internals().cluster("tokyo");
  for (int i = 0; i < 300; ++i) {
    const topic_partition where{"orders", static_cast<std::int32_t>(world.random() % 4)};
    if (world.random() % 3 == 0)
      world.recover("tokyo", where);
    else
      world.stall("tokyo", where);
    memory::faults with;
    with.failed_batches = world.random() % 2 ? 0.3 : 0;
    with.records.most = with.answer.most = 1ms * (world.random() % 50);
    tokyo.set_faults(with);
    write("orders", 1 + static_cast<int>(world.random() % 3));
    world.advance(world.random() % 300 * 1ms);
  }
  tokyo.set_faults({});
  for (int p = 0; p < 4; ++p) world.recover("tokyo", {"orders", p});
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(sick_partitions, alone_are_waited_for) {
  const topic_partition single{"single", 0};
  create("single");
  stop("one");
  start("one", copies({"single"}));
  write(single, 3);
  ASSERT_TRUE(copied("single"));
  world.stall("tokyo", single);
  write(single, 3);
  world.advance(60s);
  EXPECT_FALSE(ready("one"));
  world.recover("tokyo", single);
  EXPECT_TRUE(copied("single"));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(sick_partitions, of_the_positions_hold_up_the_takeover_of_no_other_lane) {
  stop("one");
  world.stall("tokyo", {"sync.home.lanes.internal", 1});
  write("orders", 3);
  start("one");
  const auto is_there = [&] {
    const auto found = at("tokyo", "orders");
    int whole = 0;
    for (std::size_t i = 0; i < found.size(); ++i) whole += found[i] == written["orders"][i] ? 1 : 0;
    return whole == 3;
  };
  EXPECT_TRUE(eventually(is_there));
  EXPECT_TRUE(said("sync.home.lanes.internal/1 has no leader"));
  EXPECT_FALSE(ready("one"));
  world.recover("tokyo", {"sync.home.lanes.internal", 1});
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

}  // namespace
}  // namespace flow::testing
