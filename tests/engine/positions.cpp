#include "scenario.hpp"
#include "simulation.hpp"

namespace flow::testing {
namespace {

const std::string lanes = "sync.home.lanes.internal", group = "sync.home.lanes";
const std::map<std::string, std::string> as_flow_makes_it{
    {"cleanup.policy", "compact"}, {"message.timestamp.type", "LogAppendTime"}, {"segment.bytes", "16777216"}};

/// Where an application has come to, and what may have happened to that while it did not run.
class positions : public scenario {
 protected:
  /// It has copied something, and was stopped.
  void run_once() {
    start("one");
    EXPECT_TRUE(copied("orders"));
    stop("one");
  }
  /// What it says when it is started again and cannot go on. Nothing is written by then.
  failure refuses() {
    const auto before = at("tokyo", "orders");
    start("one");
    const auto why = ends("one");
    EXPECT_EQ(why.kind, failure_kind::refused);
    EXPECT_EQ(at("tokyo", "orders"), before);
    return why;
  }
  /// The group's offsets expire when nobody has committed for too long.
  void expire_offsets() { world.internals().cluster("tokyo").expire_group_offsets(group); }
};

TEST_F(positions, survive_the_loss_of_the_state_directory) {
  create("orders", 4);
  write("orders", 3);
  run_once();
  world.lose_state("one");
  write("orders", 3);
  start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(positions, survive_the_loss_of_the_state_directory_in_a_crash) {
  create("orders", 4);
  write("orders", 3);
  start("one");
  world.crash_at("one", "committed", 3);
  ASSERT_TRUE(eventually([&] { return write("orders"), !world.is_running("one"); }));
  world.lose_state("one");
  start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(positions, survive_the_loss_of_the_groups_offsets_and_a_crash) {
  create("orders", 4);
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  write("orders", 3);
  world.crash_at("one", "sent");
  ASSERT_TRUE(world.run_until([&] { return !world.is_running("one"); }));
  expire_offsets();
  start("two");
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(working("two").lanes.size(), 4u);
}

TEST_F(positions, survive_compaction_with_the_loss_of_everything_else) {
  create("orders", 4);
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  write("orders", 3);
  world.crash_at("one", "sent");
  ASSERT_TRUE(world.run_until([&] { return !world.is_running("one"); }));
  world.internals().cluster("tokyo").compact(lanes);
  expire_offsets();
  world.lose_state("one");
  start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(positions, are_each_targets_own) {
  create("orders", 4);
  write("orders", 3);
  run_once();
  targets = {"tokyo", "oregon"};
  write("orders", 3);
  start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(positions, that_the_lanes_topic_has_lost_are_missed_by_its_group) {
  create("orders");
  write("orders", 3);
  run_once();
  world.recreate_topic("tokyo", lanes);
  const auto why = refuses();
  EXPECT_THAT(why.text, HasSubstr("the topic has lost records"));
  EXPECT_THAT(why.remedy, HasSubstr("restore the topic"));
}

TEST_F(positions, that_the_target_has_lost_are_missed_by_the_state_directory) {
  create("orders");
  write("orders", 3);
  run_once();
  world.recreate_topic("tokyo", lanes);
  expire_offsets();
  const auto why = refuses();
  EXPECT_THAT(why.text, HasSubstr("the cluster has lost commits"));
  EXPECT_THAT(why.remedy, HasSubstr("restore that cluster's data"));
}

TEST_F(positions, that_the_target_has_lost_are_repeated_once_the_state_directory_is_moved_away) {
  create("orders");
  write("orders", 3);
  run_once();
  world.recreate_topic("tokyo", lanes);
  expire_offsets();
  world.lose_state("one");
  start("one");
  EXPECT_TRUE(eventually([&] { return at("tokyo", "orders")[0].size() == 6; }));
}

TEST_F(positions, that_one_target_has_lost_hold_up_no_other_target) {
  targets = {"tokyo", "oregon"};
  create("orders");
  write("orders", 3);
  run_once();
  world.recreate_topic("tokyo", lanes);
  const auto before = at("tokyo", "orders");
  write("orders", 3);
  start("one");
  EXPECT_TRUE(eventually([&] { return at("oregon", "orders") == written["orders"]; }));
  ASSERT_TRUE(eventually([&] { return working("one").trouble.has_value(); }));
  EXPECT_EQ(working("one").trouble->kind, failure_kind::refused);
  EXPECT_EQ(at("tokyo", "orders"), before);
  EXPECT_TRUE(working("one", "oregon").ready);
  EXPECT_FALSE(ready("one"));
}

TEST_F(positions, are_missed_where_the_outputs_hold_records) {
  create("orders");
  write("orders", 3);
  run_once();
  world.delete_topic("tokyo", lanes);
  const auto why = refuses();
  EXPECT_THAT(why.text, HasSubstr("the output topics on tokyo hold records, and " + lanes + " is missing"));
  EXPECT_THAT(why.remedy, HasSubstr("--fresh"));
}

TEST_F(positions, are_missed_although_not_every_question_is_answered) {
  create("orders");
  write("orders", 3);
  run_once();
  memory::faults uncertain;
  uncertain.failed_questions = 0.2;
  for (int i = 0; i < 10; ++i) {
    world.delete_topic("tokyo", lanes);
    world.lose_state("one");
    world.internals().cluster("tokyo").set_faults(uncertain);
    EXPECT_THAT(refuses().text, HasSubstr(lanes + " is missing"));
    world.internals().cluster("tokyo").set_faults({});
    world.create_topic("tokyo", lanes);
  }
}

TEST_F(positions, begin_anew_beside_what_is_there_with_fresh) {
  create("orders");
  world.create_topic("tokyo", "orders");
  world.write("tokyo", "orders", 0, {.value = "somebody else's"});
  write("orders", 3);
  EXPECT_THAT(refuses().remedy, HasSubstr("--fresh"));
  options.fresh = true;
  start("one");
  EXPECT_TRUE(eventually([&] { return at("tokyo", "orders")[0].size() == 4; }));
  EXPECT_EQ(at("tokyo", "orders")[0].back(), written["orders"][0].back());
}

TEST_F(positions, are_not_forgotten_by_fresh) {
  create("orders");
  write("orders", 3);
  run_once();
  options.fresh = true;
  write("orders", 3);
  start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(positions, of_another_number_of_lanes_are_refused) {
  create("orders");
  write("orders", 3);
  run_once();
  options.lanes = 8;
  const auto why = refuses();
  EXPECT_THAT(why.text, HasSubstr("has 4 lanes, and 8 are configured"));
  EXPECT_THAT(why.remedy, HasSubstr("lanes: 4"));
}

// What mirrors all topics by their names copies internal ones as well.
TEST_F(positions, of_another_source_cluster_are_refused) {
  world.create_topic("osaka", "orders");
  world.write("osaka", "orders", 0, {.value = "from osaka", .timestamp = 1});
  options.home = "osaka";
  start("one", copies({"orders"}, {.rename = "{source}.{topic}"}));
  ASSERT_TRUE(eventually([&] { return at("tokyo", "osaka.orders") == contents{{"from osaka"}}; }));
  stop("one");
  world.create_topic("tokyo", lanes, 4, as_flow_makes_it);
  std::int32_t lane = 0;
  for (const auto& each : world.read("tokyo", "sync.osaka.lanes.internal")) {
    for (const auto& record : each) world.write("tokyo", lanes, lane, record);
    ++lane;
  }
  options.home = "home";
  create("orders");
  world.create_topic("tokyo", "orders");
  write("orders", 3);
  const auto why = refuses();
  EXPECT_THAT(why.text, HasSubstr("belongs to application sync reading cluster memory-osaka"));
  EXPECT_THAT(why.remedy, HasSubstr("give this application a name of its own"));
}

// "sync" at home "eu.west" and "sync.eu" at home "west" have the same names for everything.
TEST_F(positions, of_another_application_are_refused) {
  options.home = "eu.west";
  world.create_topic("eu.west", "orders");
  start("one");
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  stop("one");
  options.home = "west";
  options.application = "sync.eu";
  world.create_topic("west", "orders");
  const auto why = refuses();
  EXPECT_THAT(why.text, HasSubstr("belongs to application sync reading cluster memory-eu.west"));
  EXPECT_THAT(why.remedy, HasSubstr("give this application a name of its own"));
}

TEST_F(positions, of_two_homes_on_one_target_do_not_mix) {
  create("orders", 2);
  write("orders", 3);
  world.create_topic("osaka", "orders", 2);
  world.write("osaka", "orders", 1, {.value = "from osaka", .timestamp = 1});
  const auto by_source = [&] { return copies({"orders"}, {.rename = "{source}.{topic}"}); };
  const contents all_from_osaka{{}, {"from osaka", "from osaka as well"}};
  options.instance = "replica";
  start("one", by_source());
  options.home = "osaka";
  start("two", by_source());
  ASSERT_TRUE(eventually([&] { return ready("one") && ready("two"); }));
  world.crash("one");
  world.crash("two");
  world.write("osaka", "orders", 1, {.value = "from osaka as well", .timestamp = 2});
  write("orders", 3);
  start("two", by_source());
  options.home = "home";
  start("one", by_source());
  EXPECT_TRUE(eventually([&] {
    return at("tokyo", "home.orders") == written["orders"] && at("tokyo", "osaka.orders") == all_from_osaka;
  }));
  world.advance(30s);
  EXPECT_EQ(at("tokyo", "home.orders"), written["orders"]);
  EXPECT_EQ(at("tokyo", "osaka.orders"), all_from_osaka);
}

TEST_F(positions, of_a_newer_version_are_refused) {
  create("orders");
  write("orders", 3);
  run_once();
  world.write("tokyo", lanes, 0, {.key = "position", .value = "\x7f and so on"});
  const auto why = refuses();
  EXPECT_THAT(why.text, HasSubstr("written by a newer version of flow"));
  EXPECT_THAT(why.remedy, HasSubstr("run at least that version"));
}

TEST_F(positions, that_somebody_else_wrote_over_are_told_and_nothing_is_written) {
  create("orders");
  write("orders", 3);
  run_once();
  world.write("tokyo", lanes, 0, {.key = "position", .value = "\1 what is this"});
  const auto before = at("tokyo", "orders");
  write("orders", 3);
  start("one");
  ASSERT_TRUE(eventually([&] { return working("one").trouble.has_value(); }));
  EXPECT_EQ(working("one").trouble->kind, failure_kind::corrupt);
  EXPECT_THAT(working("one").trouble->text, HasSubstr("a record of the lanes topic cannot be read"));
  EXPECT_THAT(working("one").trouble->remedy, HasSubstr("only flow may write to its .internal topics"));
  world.advance(60s);
  EXPECT_EQ(at("tokyo", "orders"), before);
  EXPECT_FALSE(ready("one"));
}

/// A commit is decided before every partition has heard of it. Who takes over by then must not miss it.
class late_decisions : public positions {
 protected:
  late_decisions() {
    create("orders", 4);
    write("orders", 3);
  }
  void delay_on_the_lanes_topic() {
    for (std::int32_t lane = 0; lane < options.lanes; ++lane)
      world.internals().cluster("tokyo").delay_markers({lanes, lane}, {8s, 8s});
  }
  void delay_in_the_group() { world.internals().cluster("tokyo").delay_group_markers(group, {8s, 8s}); }
  void crashes_after_a_commit() {
    start("one");
    world.crash_at("one", "committed", 2);
    EXPECT_TRUE(eventually([&] { return write("orders"), !world.is_running("one"); }, 100ms));
  }
};

TEST_F(late_decisions, on_the_lanes_topic_are_waited_for) {
  delay_on_the_lanes_topic();
  crashes_after_a_commit();
  start("two");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(late_decisions, in_the_group_are_waited_for) {
  delay_in_the_group();
  crashes_after_a_commit();
  start("two");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(late_decisions, of_its_own_are_waited_for_by_a_process_that_comes_back) {
  delay_on_the_lanes_topic();
  delay_in_the_group();
  crashes_after_a_commit();
  world.lose_state("one");
  start("one");
  EXPECT_TRUE(copied("orders"));
}

/// A lanes topic that somebody made by hand, with one setting wrong.
class lanes_topic : public positions {
 protected:
  failure refuses_with(const std::string& setting, const std::string& value) {
    auto settings = as_flow_makes_it;
    settings[setting] = value;
    world.create_topic("tokyo", lanes, 4, settings);
    create("orders");
    write("orders", 3);
    return refuses();
  }
};

TEST_F(lanes_topic, whose_positions_would_be_deleted_is_refused) {
  const auto why = refuses_with("cleanup.policy", "delete");
  EXPECT_THAT(why.text, HasSubstr(lanes + " on tokyo is not compacted"));
  EXPECT_THAT(why.remedy, HasSubstr("set its cleanup.policy to compact"));
}

TEST_F(lanes_topic, whose_positions_would_be_compacted_and_deleted_is_refused) {
  EXPECT_THAT(refuses_with("cleanup.policy", "compact,delete").remedy, HasSubstr("set its cleanup.policy to compact"));
}

TEST_F(lanes_topic, that_does_not_stamp_its_records_is_refused) {
  const auto why = refuses_with("message.timestamp.type", "CreateTime");
  EXPECT_THAT(why.text, HasSubstr("does not stamp its records itself"));
  EXPECT_THAT(why.remedy, HasSubstr("set its message.timestamp.type to LogAppendTime"));
}

TEST_F(lanes_topic, whose_segments_are_too_large_to_be_compacted_in_time_is_refused) {
  const auto why = refuses_with("segment.bytes", "1073741824");
  EXPECT_THAT(why.text, HasSubstr("has segments of 1073741824 bytes"));
  EXPECT_THAT(why.remedy, HasSubstr("set its segment.bytes to 16777216"));
}

}  // namespace
}  // namespace flow::testing
