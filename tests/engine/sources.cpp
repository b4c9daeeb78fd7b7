#include "scenario.hpp"
#include "simulation.hpp"

namespace flow::testing {
namespace {

/// What may happen to the topics that are read.
class sources : public scenario {
 protected:
  sources() { create("orders", 2); }

  /// Records that nobody can read any more, below `end`.
  void delete_orders_0_below(std::int64_t end) { world.delete_records("home", "orders", 0, end); }
  /// Orders and payments, of which something has been copied.
  void copy_both() {
    create("payments");
    write("orders", 3);
    write("payments", 3);
    start_both();
    EXPECT_TRUE(copied("orders"));
  }
  void start_both() { start("one", copies({"orders", "payments"})); }
  /// Others than before, and more.
  void refill_orders_0() {
    for (int i = 0; i < 5; ++i)
      world.write("home", "orders", 0, {.value = "another " + std::to_string(i), .timestamp = 1});
  }
  /// How many records of a partition have got to tokyo.
  std::size_t arrived(const topic_partition& where) {
    return at("tokyo", where.topic)[static_cast<std::size_t>(where.partition)].size();
  }
};

TEST_F(sources, that_lose_unread_records_between_two_runs_stop_and_say_which) {
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  stop("one");
  write("orders", 5);
  delete_orders_0_below(7);
  start("one");
  const auto stopped = stops(orders_0);
  EXPECT_EQ(stopped.offset, 3);
  EXPECT_THAT(stopped.why, HasSubstr("offsets 3..6 are gone from home"));
  EXPECT_THAT(stopped.why, HasSubstr("under another application name"));
  EXPECT_TRUE(said("orders/0 stops at offset 3: offsets 3..6 are gone from home"));
  EXPECT_EQ(arrived(orders_0), 3u);
  EXPECT_TRUE(copied(orders_1));
}

TEST_F(sources, that_lose_unread_records_while_they_are_read_stop_and_say_which) {
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  world.cut("home");
  write("orders", 9);
  delete_orders_0_below(10);
  world.heal("home");
  const auto stopped = stops(orders_0);
  // What was on its way already has arrived.
  EXPECT_EQ(stopped.offset, static_cast<std::int64_t>(arrived(orders_0)));
  EXPECT_THAT(stopped.why, HasSubstr("offsets " + std::to_string(arrived(orders_0)) + "..9 are gone from home"));
  EXPECT_TRUE(copied(orders_1));
  write(orders_1, 3);
  EXPECT_TRUE(copied(orders_1));
}

TEST_F(sources, that_lose_records_which_were_read_go_on) {
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  stop("one");
  delete_orders_0_below(3);
  write("orders", 3);
  start("one");
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(sources, that_lose_records_which_only_one_target_has_read_stop_for_the_other) {
  targets = {"tokyo", "oregon"};
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  world.cut("tokyo");
  write("orders", 9);
  ASSERT_TRUE(eventually([&] { return at("oregon", "orders") == written["orders"]; }));
  world.advance(30s);
  delete_orders_0_below(10);
  world.heal("tokyo");
  EXPECT_THAT(stops(orders_0).why, HasSubstr("offsets 3..9 are gone from home"));
  EXPECT_THAT(working("one", "oregon").halted, IsEmpty());
  write("orders", 3);
  EXPECT_TRUE(copied(orders_1));
  EXPECT_EQ(at("oregon", "orders"), written["orders"]);
}

TEST_F(sources, that_lose_what_stands_behind_the_last_record_go_on) {
  const std::vector<raw_record> never_seen{{.value = "aborted", .timestamp = 1}};
  write("orders", 3);
  world.write_transaction("home", "orders", 0, never_seen, false);
  start("one");
  ASSERT_TRUE(copied("orders"));
  stop("one");
  delete_orders_0_below(5);
  write("orders", 3);
  start("one");
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(sources, that_were_made_anew_and_refilled_are_recognised) {
  copy_both();
  stop("one");
  const auto before = at("tokyo", "orders");
  world.recreate_topic("home", "orders");
  refill_orders_0();
  write("payments", 3);
  start_both();
  const auto stopped = stops(orders_0);
  EXPECT_THAT(stopped.why, HasSubstr("offset 2 of orders/0 on home is not the record that was read there"));
  EXPECT_THAT(stopped.why, HasSubstr("under another application name"));
  EXPECT_EQ(at("tokyo", "orders"), before);
  EXPECT_TRUE(copied("payments"));
}

TEST_F(sources, that_were_made_anew_and_are_shorter_stop_and_say_where_they_end) {
  copy_both();
  stop("one");
  world.recreate_topic("home", "orders");
  world.write("home", "orders", 0, {.value = "another", .timestamp = 1});
  write("payments", 3);
  start_both();
  EXPECT_THAT(stops(orders_0).why, HasSubstr("orders/0 on home ends at 1"));
  EXPECT_THAT(stops(orders_1).why, HasSubstr("orders/1 on home ends at 0"));
  EXPECT_TRUE(copied("payments"));
}

TEST_F(sources, that_are_made_anew_while_they_are_read_are_recognised) {
  copy_both();
  const auto before = at("tokyo", "orders");
  world.recreate_topic("home", "orders");
  refill_orders_0();
  EXPECT_THAT(stops(orders_0).why, HasSubstr("the topic was deleted and made anew"));
  EXPECT_THAT(stops(orders_1).why, HasSubstr("orders/1 on home ends at 0"));
  write("payments", 3);
  EXPECT_TRUE(copied("payments"));
  EXPECT_EQ(at("tokyo", "orders"), before);
}

TEST_F(sources, that_are_made_anew_with_fewer_partitions_are_recognised) {
  copy_both();
  world.delete_topic("home", "orders");
  world.create_topic("home", "orders", 1);
  EXPECT_THAT(stops(orders_0).why, HasSubstr("orders/0 on home ends at 0"));
  EXPECT_THAT(stops(orders_1).why, HasSubstr("orders/1 is gone from home"));
  write("payments", 3);
  EXPECT_TRUE(copied("payments"));
}

TEST_F(sources, that_are_deleted_before_one_target_has_read_them_stop_for_that_one) {
  targets = {"tokyo", "oregon"};
  copy_both();
  world.cut("tokyo");
  write("orders", 3);
  write("payments", 3);
  ASSERT_TRUE(eventually([&] { return at("oregon", "orders") == written["orders"]; }));
  world.advance(30s);
  world.delete_topic("home", "orders");
  world.heal("tokyo");
  EXPECT_EQ(stops(orders_0).offset, 3);
  EXPECT_TRUE(copied("payments"));
  EXPECT_EQ(at("oregon", "orders"), written["orders"]);
}

TEST_F(sources, that_are_deleted_while_they_are_read_hold_up_no_others) {
  copy_both();
  world.delete_topic("home", "orders");
  write("payments", 3);
  EXPECT_TRUE(copied("payments"));
  EXPECT_THAT(stops(orders_0).why, HasSubstr("orders/0 is gone from home (its topic was deleted; one that is made anew"));
  EXPECT_FALSE(ready("one"));
  EXPECT_TRUE(copied("orders"));
}

TEST_F(sources, that_were_deleted_between_two_runs_hold_up_no_others) {
  copy_both();
  stop("one");
  world.delete_topic("home", "orders");
  write("payments", 3);
  start_both();
  EXPECT_TRUE(copied("payments"));
  EXPECT_TRUE(copied("orders"));
  ASSERT_TRUE(world.status("one").trouble);
  EXPECT_THAT(world.status("one").trouble->text, HasSubstr("on home there is no topic orders"));
}

TEST_F(sources, that_are_missing_by_name_are_told_and_begin_when_they_appear) {
  write("orders", 3);
  start_both();
  EXPECT_TRUE(copied("orders"));
  ASSERT_TRUE(world.status("one").trouble);
  EXPECT_EQ(world.status("one").trouble->text, "on home there is no topic payments");
  EXPECT_THAT(world.status("one").trouble->remedy, HasSubstr("create it, or correct the name"));
  EXPECT_FALSE(ready("one"));
  create("payments");
  write("payments", 3);
  EXPECT_TRUE(copied("payments"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(sources, that_come_to_match_a_pattern_are_read_from_their_first_record) {
  options.start = flow::end;
  start("one", copies({"orders.*"}));
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  create("orders.returned", 3);
  write("orders.returned", 3);
  EXPECT_TRUE(copied("orders.returned"));
}

TEST_F(sources, that_only_brokers_and_flow_write_to_are_never_read) {
  for (const auto* each : {"__consumer_offsets", "sync.home.lanes.internal"}) {
    world.create_topic("home", each);
    world.write("home", each, 0, {.value = "not for anybody else", .timestamp = 1});
  }
  write("orders", 3);
  start("one", copies({".*"}, {.rename = "copy.{topic}"}));
  ASSERT_TRUE(eventually([&] { return at("tokyo", "copy.orders") == written["orders"]; }));
  EXPECT_THAT(at("tokyo", "copy.__consumer_offsets"), IsEmpty());
  EXPECT_THAT(at("tokyo", "copy.sync.home.lanes.internal"), IsEmpty());
}

TEST_F(sources, that_grow_while_they_are_read_are_read_in_all_partitions) {
  targets = {"tokyo", "oregon"};
  for (const auto& each : targets) world.create_topic(each, "orders", 4);
  written["orders"].resize(4);
  options.start = flow::end;
  start("one");
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  world.add_partitions("home", "orders", 4);
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
}

TEST_F(sources, that_grow_between_two_runs_are_read_in_all_partitions) {
  world.create_topic("tokyo", "orders", 4);
  written["orders"].resize(4);
  options.start = flow::end;
  start("one");
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  stop("one");
  world.add_partitions("home", "orders", 4);
  write("orders", 3);
  start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(sources, that_grow_take_the_outputs_that_keep_partitions_along) {
  targets = {"tokyo", "oregon"};
  write("orders", 3);
  start("one");
  start("two");
  ASSERT_TRUE(copied("orders"));
  world.add_partitions("home", "orders", 4);
  written["orders"].resize(4);
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
}

TEST_F(sources, that_have_grown_since_their_outputs_were_made_take_them_along) {
  for (const auto& each : targets) world.create_topic(each, "orders", 1);
  write("orders", 3);
  start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(sources, that_grow_beyond_an_output_that_may_not_be_expanded_stop_there_and_say_so) {
  write("orders", 3);
  world.create_topic("tokyo", "orders", 2);
  start("one", copies({"orders"}, {.create = false}));
  ASSERT_TRUE(copied("orders"));
  world.add_partitions("home", "orders", 3);
  world.write("home", "orders", 2, {.value = "one too many", .timestamp = 1});
  const auto stopped = stops({"orders", 2});
  EXPECT_EQ(stopped.offset, 0);
  EXPECT_THAT(stopped.why, HasSubstr("partition 2 does not exist in orders, which has 2"));
  EXPECT_THAT(stopped.why, HasSubstr("add partitions to it"));
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));

  world.add_partitions("tokyo", "orders", 3);
  written["orders"].push_back({"one too many"});
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(sources, that_grow_wait_for_outputs_that_cannot_be_expanded_yet) {
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  memory::faults uncertain;
  uncertain.failed_questions = 0.3;
  world.internals().cluster("tokyo").set_faults(uncertain);
  for (std::int32_t total = 3; total <= 12; ++total) {
    world.add_partitions("home", "orders", total);
    written["orders"].resize(static_cast<std::size_t>(total));
    write("orders");
    EXPECT_TRUE(copied("orders"));
  }
  EXPECT_FALSE(said("stops at"));
}

/// Where an application begins that has no position.
class start_of_reading : public sources {
 protected:
  /// So many of each partition's first records are not to be copied.
  void forget(std::size_t count) {
    for (auto& each : written["orders"]) each.erase(each.begin(), each.begin() + static_cast<std::ptrdiff_t>(count));
  }
};

TEST_F(start_of_reading, is_the_first_record_unless_told_otherwise) {
  write("orders", 3);
  start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(start_of_reading, may_be_the_end) {
  write("orders", 3);
  options.start = flow::end;
  start("one");
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  forget(3);
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
}

TEST_F(start_of_reading, may_be_a_time) {
  write("orders", 3);
  world.advance(10s);
  options.start = {start_at::kind::time, world.wall_clock()};
  world.advance(10s);
  forget(3);
  write("orders", 3);
  start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(start_of_reading, may_be_a_time_that_is_still_to_come) {
  options.start = {start_at::kind::time, world.wall_clock() + 3'600'000};
  write("orders", 3);
  forget(3);
  start("one");
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
}

TEST_F(start_of_reading, does_not_count_where_a_position_exists) {
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  stop("one");
  write("orders", 3);
  options.start = flow::end;
  start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(start_of_reading, is_the_first_record_of_a_topic_that_appears_between_two_runs) {
  options.start = flow::end;
  start_both();
  ASSERT_TRUE(eventually([&] { return working("one").ready; }));
  stop("one");
  create("payments");
  write("payments", 3);
  start_both();
  EXPECT_TRUE(copied("payments"));
}

TEST_F(start_of_reading, may_be_the_end_and_is_remembered_before_anything_was_copied) {
  options.start = flow::end;
  write("orders", 3);
  start("one");
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  world.crash("one");
  forget(3);
  write("orders", 3);
  start("one");
  EXPECT_TRUE(copied("orders"));
}

}  // namespace
}  // namespace flow::testing
