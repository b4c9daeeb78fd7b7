#include <set>

#include "scenario.hpp"
#include "simulation.hpp"

// What only the meeting of two rare things shows.
namespace flow::testing {
namespace {

using corners = scenario;
const std::string lanes = "sync.home.lanes.internal";

contents where_first_seen(contents all) {
  for (auto& partition : all) {
    std::set<std::string> known;
    std::erase_if(partition, [&](const auto& each) { return !known.insert(each).second; });
  }
  return all;
}

TEST_F(corners, what_cannot_be_asked_for_at_first_does_not_count_as_having_appeared_later) {
  int copied_history = 0, partly_answered = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    simulation w{seed};
    w.create_topic("home", "orders", 8);
    for (int i = 0; i < 8; ++i) w.write("home", "orders", i, {.value = "history", .timestamp = 1});
    topology t{"sync"};
    t.from(topic<bytes, bytes>{"orders"}) | fan_out("regions", {"tokyo"});
    app_options o;
    o.lanes = 2;
    o.clusters = {{"home", {}}, {"tokyo", {}}};
    o.session = 60s;
    o.start = flow::end;
    w.start("a", t, o);
    w.advance(100us * (seed % 40));
    w.cut("home");
    w.advance(9999ms);  // the request for all offsets is answered "timed out" after 10 s, and each partition is asked alone
    w.run_until([&] { return !w.log().empty(); }, 20ms);
    w.advance(10us * (w.random() % 30)), w.heal("home"), w.advance(10us * (w.random() % 50)), w.cut("home");
    w.advance(11s), w.heal("home"), w.advance(60s);
    for (const auto& line : w.log())
      if (line.find("where to begin in") != std::string::npos) {
        ++partly_answered;
        break;
      }
    for (const auto& partition : w.read("tokyo", "orders")) copied_history += partition.empty() ? 0 : 1;
  }
  EXPECT_GT(partly_answered, 0);
  EXPECT_EQ(copied_history, 0) << "of " << partly_answered;
}

// The end of the transaction is asked for twice, so that a new epoch is needed, and the stop comes meanwhile.
TEST_F(corners, what_was_read_for_a_transaction_that_failed_is_not_committed_at_a_stop) {
  create("orders");
  for (int tenths = 0; tenths < 40; ++tenths) {
    start("one");
    write(orders_0);
    ASSERT_TRUE(copied("orders"));
    memory::faults slow;
    slow.answer = {600ms, 600ms};
    world.internals().cluster("tokyo").set_faults(slow);
    world.stall("tokyo", orders_0);
    write(orders_0, 3);
    world.advance(tenths * 100ms);
    world.recover("tokyo", orders_0);
    world.stop("one");
    ASSERT_TRUE(world.run_until([&] { return !world.is_running("one"); }, 60s));
    world.internals().cluster("tokyo").set_faults({});
    start("one");
    ASSERT_TRUE(copied("orders")) << tenths;
    stop("one");
  }
}

TEST_F(corners, at_least_once_writes_nothing_behind_a_record_that_is_refused) {
  options.promised = guarantee::at_least_once;
  create("orders");
  start("one");
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  world.delete_topic("tokyo", "orders");
  world.create_topic("tokyo", "orders", 1, {{"max.message.bytes", "500"}});
  write(orders_0, 3);
  write(orders_0, {.key = "k", .value = std::string(1000, 'x')});
  for (int i = 0; i < 5; ++i) world.advance(1ms), write(orders_0);
  EXPECT_EQ(stops(orders_0).offset, 3);
  world.advance(30s);
  written["orders"][0].resize(3);
  EXPECT_EQ(where_first_seen(at("tokyo", "orders")), written["orders"]);
}

TEST_F(corners, a_record_cannot_name_the_lanes_topic) {
  create("orders");
  topology t{"sync"};
  t.from(topic<std::string, std::string>{"orders"}) |
      to("route", [](const std::string& value) { return value; }, {.cluster = "tokyo"});
  write(orders_0, {.key = "position", .value = lanes});
  start("one", t);
  EXPECT_THAT(stops(orders_0).why, HasSubstr("internal topic"));
  world.crash("one");
  start("one", t);
  EXPECT_TRUE(eventually([&] { return !working("one").halted.empty(); }));
  EXPECT_TRUE(world.is_running("one")) << to_string(world.ended("one").value_or(failure{}));
}

TEST_F(corners, a_lanes_topic_that_is_deleted_while_it_runs_is_noticed) {
  create("orders", 2);
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  world.delete_topic("tokyo", lanes);
  write("orders", 3);
  EXPECT_THAT(ends("one").text, HasSubstr(lanes));
}

TEST_F(corners, one_output_of_several_topics_gets_the_partitions_of_the_largest) {
  create("a");
  create("b", 3);
  write("b", 2);
  start("one", copies({"a", "b"}, {.rename = "all"}));
  EXPECT_TRUE(eventually([&] { return at("tokyo", "all") == written["b"]; }));
  EXPECT_THAT(working("one").halted, IsEmpty());
}

TEST_F(corners, a_target_that_is_cut_off_for_longer_than_a_session_is_told_of) {
  targets = {"tokyo", "oregon"};
  create("orders", 2);
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  world.cut("tokyo");
  world.advance(60s);
  EXPECT_FALSE(working("one").ready);
  EXPECT_TRUE(working("one").trouble);
  EXPECT_FALSE(world.log().empty());
}

TEST_F(corners, a_missing_output_is_said_once_and_nothing_is_ready_meanwhile) {
  create("orders");
  write("orders", 3);
  start("one", copies({"orders"}, {.create = false}));
  bool was_ready = false;
  for (int i = 0; i < 100; ++i) world.advance(10ms), was_ready = was_ready || ready("one");
  EXPECT_FALSE(was_ready);
  EXPECT_FALSE(said("going on"));
}

}  // namespace
}  // namespace flow::testing
