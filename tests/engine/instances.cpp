#include "scenario.hpp"

namespace flow::testing {
namespace {

class instances : public scenario {
 protected:
  /// Another has taken the place of "one", which knows it, and is there no more.
  void replaced_by_nobody_who_lives() {
    create("orders", 4);
    write("orders", 3);
    start("one");
    ASSERT_TRUE(copied("orders"));
    options.instance = "one";
    start("a ghost");
    ASSERT_TRUE(eventually([&] { return working("one").trouble.has_value(); }));
    EXPECT_THAT(working("one").trouble->text, HasSubstr("has joined as instance"));
    world.crash("a ghost");
  }
};

TEST_F(instances, that_run_twice_are_told_so_and_one_of_the_two_goes_on) {
  targets = {"tokyo", "oregon"};
  create("orders", 4);
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  options.instance = "one";
  start("the same again");
  const auto why = ends("one");
  EXPECT_EQ(why.kind, failure_kind::fenced_member);
  EXPECT_THAT(why.text, HasSubstr("instance one runs twice"));
  EXPECT_THAT(why.remedy, HasSubstr("an instance of its own"));
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(world.is_running("the same again"));
  EXPECT_TRUE(ready("the same again"));
}

TEST_F(instances, that_were_replaced_while_they_stood_still_end_and_repeat_nothing) {
  create("orders", 4);
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  write("orders", 3);
  world.freeze("one");
  options.instance = "one";
  start("the same again");
  ASSERT_TRUE(copied("orders"));
  world.thaw("one");
  write("orders", 3);
  EXPECT_THAT(ends("one").text, HasSubstr("instance one runs twice"));
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("the same again"));
}

// A broker that comes back may know a request to join that this worker had given up long since.
TEST_F(instances, that_were_replaced_by_nobody_who_lives_go_on) {
  replaced_by_nobody_who_lives();
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(instances, wait_for_a_cluster_that_cannot_say_who_has_replaced_them) {
  replaced_by_nobody_who_lives();
  world.cut("tokyo");
  world.advance(10min);
  EXPECT_TRUE(world.is_running("one"));
  world.heal("tokyo");
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
}

TEST_F(instances, that_are_replaced_on_their_way_out_end_well) {
  create("orders", 4);
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  world.freeze("one");
  options.instance = "one";
  start("the same again");
  write("orders", 3);
  ASSERT_TRUE(copied("orders"));
  world.stop("one");
  world.thaw("one");
  EXPECT_TRUE(eventually([&] { return !world.is_running("one"); }));
  EXPECT_EQ(world.ended("one"), std::nullopt);
  EXPECT_TRUE(ready("the same again"));
}

TEST_F(instances, take_their_lanes_back_when_they_return_within_the_session_if_they_keep_them) {
  options.leave_on_stop = false;
  create("orders", 4);
  start("one");
  start("two");
  write("orders", 3);
  ASSERT_TRUE(eventually([&] { return ready("one") && ready("two"); }));
  const auto theirs = working("one").lanes;
  const auto others = working("two");
  ASSERT_EQ(theirs.size(), 2u);
  stop("one");
  write("orders", 3);
  world.advance(1s);
  start("one");
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(working("one").lanes, theirs);
  EXPECT_EQ(working("two").lanes, others.lanes);
  EXPECT_EQ(working("two").rebalances, others.rebalances);
}

TEST_F(instances, that_leave_give_their_lanes_to_the_others_at_once) {
  options.session = 60s;
  create("orders", 4);
  start("one");
  start("two");
  write("orders", 3);
  ASSERT_TRUE(eventually([&] { return ready("one") && ready("two"); }));
  stop("one");
  write("orders", 3);
  EXPECT_TRUE(world.run_until([&] { return working("two").lanes.size() == 4; }, 5s));
  EXPECT_TRUE(copied("orders"));
}

// The lanes of one topic follow each other, and are not all one instance's.
TEST_F(instances, share_the_partitions_of_a_topic_however_many_lanes_there_are) {
  options.lanes = 32;
  create("orders", 6);
  start("one");
  start("two");
  ASSERT_TRUE(eventually([&] { return ready("one") && ready("two") && working("one").lanes.size() == 16; }));
  const auto before = working("one").records_written;
  write("orders", 4);
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(working("one").records_written - before, 12u);
  EXPECT_EQ(working("two").records_written, 12u);
}

TEST_F(instances, that_do_not_come_back_lose_their_lanes_to_the_others) {
  options.leave_on_stop = false;
  create("orders", 4);
  start("one");
  start("two");
  ASSERT_TRUE(eventually([&] { return ready("one") && ready("two"); }));
  stop("one");
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(working("two").lanes.size(), 4u);
}

TEST_F(instances, that_have_no_lanes_are_ready_and_take_over) {
  options.lanes = 1;
  create("orders", 4);
  write("orders", 3);
  start("one");
  start("two");
  ASSERT_TRUE(copied("orders"));
  EXPECT_THAT(working("two").lanes, IsEmpty());
  EXPECT_TRUE(ready("one") && ready("two"));
  world.crash("one");
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
}

}  // namespace
}  // namespace flow::testing
