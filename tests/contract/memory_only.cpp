#include "memory_world.hpp"
#include "suite.hpp"

namespace flow::contract {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using kind = port::group_event::kind;

/// What a real cluster does too, but never when a test wants it to. When a marker is written is up to its brokers, and
/// when an EndTxn or an answer arrives up to the network; its log is compacted when the cleaner comes by; and a session
/// ends while its member lives only if the whole process stands still, which the chaos test does.
class memory_only : public suite {
 protected:
  memory::broker& broker() { return static_cast<memory_world&>(in()).broker(); }

  static memory::delay exactly(milliseconds time) { return {time, time}; }

  /// A member of a group of its own over `topic`, as a lane's owner is.
  std::unique_ptr<participant> owner_of(const std::string& group, const std::string& topic) {
    return std::make_unique<participant>(*this, joining(group, topic));
  }
};

// ---- markers that arrive late

TEST_F(memory_only, a_commit_reaches_one_partition_later_than_another) {
  const std::string topic = fresh_topic(2);
  broker().delay_markers({topic, 1}, exactly(5s));
  writer one{*this, unique("writer")};
  one.begin();
  one.send({topic, 0}, numbered(0, 1));
  one.send({topic, 1}, numbered(0, 1));
  must(one.commit());

  listener both{*this};
  both.assign(0, {topic, 0}, 0);
  both.assign(1, {topic, 1}, 0);
  both.until_records(0, 1);
  both.until_end(1, 0);
  EXPECT_EQ(high_watermark({topic, 1}), 1);
  EXPECT_EQ(last_stable({topic, 1}), 0);
  EXPECT_THAT(read_range({topic, 1}, 0, 1, isolation::read_committed, 1s), fails_with(failure_kind::timed_out));
  both.until_end(1, 2);
  EXPECT_EQ(both.of(1).notes, numbered(0, 1));
}

TEST_F(memory_only, offsets_are_decided_before_the_records_beside_them_can_be_read) {
  const std::string topic = fresh_topic();
  const std::string group = unique("group");
  const topic_partition where{topic, 0};
  const auto owner = owner_of(group, topic);
  const auto as = owner->until_assigned(1);
  broker().delay_markers(where, exactly(5s));
  writer one{*this, unique("writer")};
  one.begin();
  one.send(where, numbered(0, 1));
  must(one.send_offsets({{where, 1, ""}}, as));
  must(one.commit());
  EXPECT_EQ(group_offset(group, where).offset, 1);
  EXPECT_EQ(last_stable(where), 0) << "who read only to here would miss what the offset speaks of";
  EXPECT_THAT(values(must(read_range(where, 0, high_watermark(where))).records), ElementsAre("0"));
}

TEST_F(memory_only, records_can_be_read_before_the_offsets_beside_them_are_decided) {
  const std::string topic = fresh_topic();
  const std::string group = unique("group");
  const topic_partition where{topic, 0};
  const auto owner = owner_of(group, topic);
  const auto as = owner->until_assigned(1);
  broker().delay_group_markers(group, exactly(5s));
  writer one{*this, unique("writer")};
  one.begin();
  one.send(where, numbered(0, 1));
  must(one.send_offsets({{where, 1, ""}}, as));
  must(one.commit());
  EXPECT_EQ(everything(where), numbered(0, 1));
  EXPECT_THAT(group_offsets(group, {where}, isolation::read_committed, 1s), fails_with(failure_kind::timed_out));
  EXPECT_EQ(group_offset(group, where, isolation::read_uncommitted).offset, -1);
  EXPECT_EQ(group_offset(group, where).offset, 1);
}

TEST_F(memory_only, init_waits_for_the_last_marker_of_what_it_ends) {
  const std::string topic = fresh_topic(2);
  broker().delay_markers({topic, 1}, exactly(5s));
  const std::string id = unique("writer");
  writer old{*this, id};
  old.begin();
  for (const std::int32_t partition : {0, 1}) {
    old.send({topic, partition}, numbered(0, 1));
    ask_until([&] { return high_watermark({topic, partition}) == 1; }, "the records");
  }
  writer young{*this, id};
  EXPECT_EQ(last_stable({topic, 0}), 2);
  EXPECT_EQ(last_stable({topic, 1}), 2);
}

TEST_F(memory_only, the_next_transaction_begins_only_when_the_one_before_has_all_its_markers) {
  const topic_partition where{fresh_topic(), 0};
  broker().delay_markers(where, exactly(2s));
  writer one{*this, unique("writer")};
  for (int number = 0; number < 2; ++number) {
    one.begin();
    one.send(where, numbered(number, number + 1), true);
    EXPECT_THAT(must(one.commit()).offsets, ElementsAre(2 * number)) << "a marker stands between the two";
  }
}

// ---- EndTxn on a slow way

TEST_F(memory_only, an_end_that_comes_late_ends_the_next_transaction_half_way) {
  const topic_partition where{fresh_topic(), 0};
  writer one{*this, unique("writer")};
  memory::faults with;
  with.late_ends = 1;
  broker().set_faults(with);
  one.begin();
  one.send(where, numbered(0, 1));
  EXPECT_EQ(must(one.commit()).end_requests, 2) << "whoever goes on without init has been warned";
  broker().set_faults({});

  one.begin();
  one.send(where, numbered(1, 2));
  ask_until([&] { return high_watermark(where) == 4; }, "a marker that nobody asked for");
  one.send(where, numbered(2, 3));
  EXPECT_THAT(one.commit(), fails());
  EXPECT_THAT(values(everything(where)), ElementsAre("0", "1")) << "half of the second transaction";
}

TEST_F(memory_only, an_end_that_comes_late_does_nothing_after_init) {
  const topic_partition where{fresh_topic(), 0};
  writer one{*this, unique("writer")};
  memory::faults with;
  with.late_ends = 1;
  broker().set_faults(with);
  one.begin();
  one.send(where, numbered(0, 1));
  EXPECT_EQ(must(one.commit()).end_requests, 2);
  broker().set_faults({});

  must(one.init());
  one.begin();
  one.send(where, numbered(1, 2));
  EXPECT_FALSE(pump_until([&] { return last_stable(where) > 2; }, with.late_by.most / 1ms * 1ms));
  EXPECT_THAT(one.commit(), succeeds());
  EXPECT_THAT(values(everything(where)), ElementsAre("0", "1"));
}

TEST_F(memory_only, a_commit_without_an_answer_may_have_taken_place) {
  const topic_partition where{fresh_topic(), 0};
  writer one{*this, unique("writer")};
  memory::faults with;
  with.lost_commits = 1;
  broker().set_faults(with);
  one.begin();
  one.send(where, numbered(0, 1));
  EXPECT_THAT(one.commit(), fails_with(failure_kind::timed_out));
  broker().set_faults({});
  must(one.init());
  EXPECT_EQ(everything(where), numbered(0, 1));
}

// ---- a cluster that cannot be reached

TEST_F(memory_only, requests_to_a_cluster_that_is_cut_off_time_out_and_work_again_afterwards) {
  const topic_partition where{fresh_topic(), 0};
  writer one{*this, unique("writer")};
  one.begin();
  one.send(where, numbered(0, 1));
  broker().cut();
  EXPECT_THAT(list_topics(), fails_with(failure_kind::timed_out));
  EXPECT_THAT(find_offsets({where}, {}), fails_with(failure_kind::timed_out));
  EXPECT_THAT(group_offsets(unique("group"), {where}), fails_with(failure_kind::timed_out));
  EXPECT_THAT(one.commit(), fails());
  broker().heal();
  must(one.init());
  one.begin();
  one.send(where, numbered(1, 2));
  EXPECT_THAT(one.commit(), succeeds());
  EXPECT_EQ(values(everything(where)).back(), "1");
}

TEST_F(memory_only, readers_go_on_where_they_were_after_a_cut) {
  const topic_partition where{fresh_topic(), 0};
  listener one{*this};
  one.assign(0, where, 0);
  write(*this, where, numbered(0, 3));
  one.until_end(0, 3);
  broker().cut();
  EXPECT_FALSE(pump_until([&] { return one.of(0).failed.has_value(); }, 5s));
  broker().heal();
  write(*this, where, numbered(3, 5));
  one.until_end(0, 5);
  EXPECT_EQ(one.of(0).notes, numbered(0, 5));
}

// ---- compaction

TEST_F(memory_only, compaction_keeps_the_last_record_of_each_key_at_its_offset) {
  const topic_partition where{fresh_topic(1, {{"cleanup.policy", "compact"}}), 0};
  write_committed(*this, where, {{.key = "a", .value = "1"}, {.key = "b", .value = "2"}, {.key = "a", .value = "3"}});
  write_aborted(*this, where, {{.key = "a", .value = "never"}});
  write_committed(*this, where, {{.key = "b", .value = std::nullopt}});
  broker().compact(where.topic);
  listener one{*this};
  one.assign(0, where, 0);
  one.until_end(0, high_watermark(where));
  EXPECT_THAT(values(one.of(0).notes), ElementsAre("3", "null"));
  EXPECT_THAT(one.of(0).offsets, ElementsAre(2, 6));
  const port::range_read all = must(read_range(where, 0, high_watermark(where)));
  EXPECT_THAT(values(all.records), ElementsAre("3", "null"));
}

// ---- a session that ends while its member lives, as that of a process that was stopped and goes on

TEST_F(memory_only, offsets_of_a_zombie_are_refused_before_it_knows_what_it_is) {
  const std::string topic = fresh_topic(2);
  const std::string group = unique("group");
  const topic_partition where{topic, 0};
  const auto owner = owner_of(group, topic);
  const auto as = owner->until_assigned(2);
  writer one{*this, unique("writer")};
  one.begin();
  one.send(where, numbered(0, 1));
  broker().kill_session(as.member_id);
  EXPECT_EQ(owner->assignment()->as, as) << "nobody has told it yet";
  EXPECT_THAT(one.send_offsets({{where, 1, ""}}, as), fails_with(failure_kind::lost_member));
  EXPECT_THAT(one.commit(), fails());
  EXPECT_THAT(one.abort(), succeeds());
  eventually([&] { return owner->saw(kind::lost); }, "the news");
  EXPECT_NE(owner->until_assigned(2), as);
  EXPECT_THAT(everything(where), IsEmpty());
}

TEST_F(memory_only, an_offset_sent_in_time_is_committed_by_a_zombie_and_its_heir_waits_for_it) {
  const std::string topic = fresh_topic();
  const std::string group = unique("group");
  const topic_partition where{topic, 0};
  const auto owner = owner_of(group, topic);
  const auto as = owner->until_assigned(1);
  writer one{*this, unique("writer")};
  one.begin();
  one.send(where, numbered(0, 1));
  must(one.send_offsets({{where, 1, ""}}, as));
  broker().kill_session(as.member_id);
  EXPECT_THAT(group_offsets(group, {where}, isolation::read_committed, 1s), fails_with(failure_kind::timed_out));
  EXPECT_THAT(one.commit(), succeeds());
  EXPECT_EQ(group_offset(group, where).offset, 1);
}

}  // namespace
}  // namespace flow::contract
