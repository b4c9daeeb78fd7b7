#include <limits>

#include "suite.hpp"

namespace flow::contract {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class transactions : public suite {
 protected:
  void until_written(const topic_partition& where, std::int64_t high) {
    ask_until([&] { return high_watermark(where) >= high; }, "records in an open transaction");
  }
};

TEST_F(transactions, are_seen_by_committed_readers_only_when_they_are) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, numbered(0, 2));
  writer one{*this, unique("writer")};
  one.begin();
  one.send(where, numbered(2, 4));
  until_written(where, 4);
  write(*this, where, numbered(4, 5));

  listener committed{*this};
  listener uncommitted{*this, isolation::read_uncommitted};
  committed.assign(0, where, 0);
  uncommitted.assign(0, where, 0);
  uncommitted.until_end(0, 5);
  committed.until_end(0, 2);
  EXPECT_EQ(committed.of(0).notes, numbered(0, 2));
  EXPECT_EQ(uncommitted.of(0).notes, numbered(0, 5));

  must(one.commit());
  committed.until_end(0, 6);
  EXPECT_EQ(committed.of(0).notes, numbered(0, 5));
}

TEST_F(transactions, fit_into_a_topic_that_takes_little_at_once) {
  const topic_partition where{fresh_topic(1, {{"max.message.bytes", "5000"}}), 0};
  writer one{*this, unique("writer")};
  one.port().limit_batches(5000);
  must(one.init());
  std::vector<note> sent;
  for (int i = 0; i < 500; ++i) sent.push_back({.key = std::to_string(i), .value = noise(static_cast<std::size_t>(i))});
  one.begin();
  one.send(where, sent);
  must(one.commit());
  EXPECT_EQ(everything(where), sent);
}

TEST_F(transactions, that_were_aborted_are_never_seen_by_committed_readers) {
  const topic_partition where{fresh_topic(), 0};
  listener during{*this};
  during.assign(0, where, 0);
  write_committed(*this, where, numbered(0, 2));
  write_aborted(*this, where, numbered(2, 4));
  write_committed(*this, where, numbered(4, 6));
  during.until_records(0, 4);
  EXPECT_THAT(values(during.of(0).notes), ElementsAre("0", "1", "4", "5"));
  EXPECT_THAT(values(everything(where)), ElementsAre("0", "1", "4", "5"));
  EXPECT_EQ(everything(where, isolation::read_uncommitted), numbered(0, 6));
}

TEST_F(transactions, wait_behind_an_older_one_that_is_open) {
  const topic_partition where{fresh_topic(), 0};
  writer slow{*this, unique("slow")};
  slow.begin();
  slow.send(where, numbered(0, 1));
  until_written(where, 1);
  writer fast{*this, unique("fast")};
  fast.begin();
  fast.send(where, numbered(1, 2));
  must(fast.commit());
  until_written(where, 3);

  listener reading{*this};
  reading.assign(0, where, 0);
  reading.until_end(0, 0);
  EXPECT_EQ(last_stable(where), 0);
  EXPECT_EQ(high_watermark(where), 3);
  must(slow.abort());
  reading.until_end(0, 4);
  EXPECT_THAT(values(reading.of(0).notes), ElementsAre("1"));
}

TEST_F(transactions, hold_the_last_stable_offset_below_the_high_watermark) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, numbered(0, 2));
  writer one{*this, unique("writer")};
  one.begin();
  one.send(where, numbered(2, 5));
  until_written(where, 5);
  EXPECT_EQ(high_watermark(where), 5);
  EXPECT_EQ(last_stable(where), 2);
  must(one.commit());
  settle(where);
  EXPECT_EQ(high_watermark(where), 6);
  EXPECT_EQ(last_stable(where), 6);
}

TEST_F(transactions, span_topics_and_partitions) {
  const std::string one = fresh_topic(2);
  const std::string two = fresh_topic(1);
  const std::vector<topic_partition> all{{one, 0}, {one, 1}, {two, 0}};
  writer wide{*this, unique("writer")};
  for (const bool commits : {false, true}) {
    wide.begin();
    for (const topic_partition& where : all) wide.send(where, numbered(commits, commits + 1));
    if (commits) {
      must(wide.commit());
    } else {
      must(wide.abort());
    }
  }
  for (const topic_partition& where : all) EXPECT_THAT(values(everything(where)), ElementsAre("1")) << to_string(where);
}

TEST_F(transactions, answer_a_commit_with_the_offsets_that_were_wanted) {
  const std::string topic = fresh_topic(2);
  write(*this, {topic, 1}, numbered(0, 5));
  writer one{*this, unique("writer")};
  one.begin();
  one.send({topic, 0}, numbered(0, 3));
  one.send({topic, 1}, numbered(5, 7), true);
  one.send({topic, 0}, numbered(3, 4), true);
  one.send({topic, 1}, numbered(7, 8));
  const port::committed first = must(one.commit());
  EXPECT_THAT(first.offsets, ElementsAre(5, 6, 3));
  EXPECT_EQ(first.end_requests, 1);

  one.begin();
  one.send({topic, 0}, numbered(4, 5), true);
  EXPECT_THAT(must(one.commit()).offsets, ElementsAre(5)) << "behind the marker of the one before";
}

TEST_F(transactions, are_not_needed_to_write_and_to_learn_offsets) {
  const topic_partition where{fresh_topic(), 0};
  writer plain{*this, ""};
  plain.send(where, numbered(0, 2));
  plain.send(where, numbered(2, 4), true);
  EXPECT_THAT(must(plain.flush()).offsets, ElementsAre(2, 3));
  EXPECT_EQ(high_watermark(where), 4) << "stored when flush answers";
  EXPECT_THAT(must(plain.flush()).offsets, IsEmpty()) << "nothing was sent since";
  EXPECT_THAT(plain.init(), succeeds());
  plain.send(where, numbered(4, 5), true);
  EXPECT_THAT(must(plain.flush()).offsets, ElementsAre(4));
}

TEST_F(transactions, may_be_empty) {
  const topic_partition where{fresh_topic(), 0};
  writer one{*this, unique("writer")};
  one.begin();
  EXPECT_THAT(one.commit(), succeeds());
  one.begin();
  EXPECT_THAT(one.abort(), succeeds());
  one.begin();
  one.send(where, {});
  EXPECT_THAT(one.commit(), succeeds());
  one.begin();
  one.send(where, numbered(0, 1));
  EXPECT_THAT(one.commit(), succeeds());
  EXPECT_EQ(everything(where), numbered(0, 1));
}

TEST_F(transactions, follow_one_another_committed_or_not) {
  const topic_partition where{fresh_topic(), 0};
  writer one{*this, unique("writer")};
  for (int number = 0; number < 8; ++number) {
    one.begin();
    one.send(where, numbered(number, number + 1));
    if (number % 3 == 1) {
      EXPECT_THAT(one.abort(), succeeds());
    } else {
      EXPECT_THAT(one.commit(), succeeds());
    }
  }
  EXPECT_THAT(values(everything(where)), ElementsAre("0", "2", "3", "5", "6"));
}

TEST_F(transactions, may_be_aborted_before_the_cluster_has_heard_of_them) {
  const topic_partition where{fresh_topic(), 0};
  writer one{*this, unique("writer")};
  // Right behind a commit a cluster puts off what it is asked to begin.
  for (int round = 0; round < 20; ++round) {
    one.begin();
    one.send(where, {{.value = "committed"}});
    must(one.commit());
    one.begin();
    one.send(where, {{.value = "aborted"}});
    must(one.abort());
  }
  EXPECT_EQ(values(everything(where)), std::vector<std::string>(20, "committed"));
}

TEST_F(transactions, are_carried_out_in_the_order_they_were_asked_for) {
  const topic_partition where{fresh_topic(), 0};
  const auto producer = cluster().open_producer({unique("writer")});
  std::vector<std::string> answers;
  const auto note_down = [&](std::string what) {
    return [&answers, what](const auto& answer) { answers.push_back(answer ? what : answer.error().text); };
  };
  producer->init(note_down("init"));
  producer->begin();
  producer->send(packed(producer->topic(where.topic), 0, numbered(0, 2)));
  producer->commit(note_down("commit"));
  producer->begin();
  producer->send(packed(producer->topic(where.topic), 0, numbered(2, 4)));
  producer->abort(note_down("abort"));
  producer->begin();
  producer->send(packed(producer->topic(where.topic), 0, numbered(4, 6)));
  producer->commit(note_down("commit again"));
  EXPECT_THAT(answers, IsEmpty());
  eventually([&] { return answers.size() == 4; }, "all answers");
  EXPECT_THAT(answers, ElementsAre("init", "commit", "abort", "commit again"));
  EXPECT_THAT(values(everything(where)), ElementsAre("0", "1", "4", "5"));
}

// ---- fencing

TEST_F(transactions, left_open_are_ended_by_init_of_the_same_id) {
  const topic_partition where{fresh_topic(), 0};
  const std::string id = unique("writer");
  {
    writer dead{*this, id};
    dead.begin();
    dead.send(where, numbered(0, 3));
    until_written(where, 3);
  }
  writer heir{*this, id};
  EXPECT_EQ(last_stable(where), 4) << "all markers are written when init answers";
  EXPECT_EQ(high_watermark(where), 4);
  heir.begin();
  heir.send(where, numbered(3, 5));
  must(heir.commit());
  EXPECT_THAT(values(everything(where)), ElementsAre("3", "4"));
}

TEST_F(transactions, of_a_fenced_producer_cannot_commit) {
  const topic_partition where{fresh_topic(), 0};
  const std::string id = unique("writer");
  writer old{*this, id};
  old.begin();
  old.send(where, numbered(0, 2));
  until_written(where, 2);
  writer young{*this, id};
  EXPECT_THAT(old.commit(), fails_with(failure_kind::fenced));
  EXPECT_THAT(values(everything(where)), IsEmpty());
}

TEST_F(transactions, of_a_fenced_producer_take_no_more_records) {
  const topic_partition where{fresh_topic(), 0};
  const std::string id = unique("writer");
  writer old{*this, id};
  old.begin();
  old.send(where, numbered(0, 2));
  until_written(where, 2);
  writer young{*this, id};
  old.send(where, numbered(2, 4));
  EXPECT_THAT(old.commit(), fails_with(failure_kind::fenced));
  young.begin();
  young.send(where, numbered(4, 5));
  must(young.commit());
  EXPECT_THAT(values(everything(where)), ElementsAre("4"));
}

TEST_F(transactions, cannot_be_begun_by_a_fenced_producer) {
  const topic_partition where{fresh_topic(), 0};
  const std::string id = unique("writer");
  writer old{*this, id};
  writer young{*this, id};
  old.begin();
  old.send(where, numbered(0, 2));
  EXPECT_THAT(old.commit(), fails_with(failure_kind::fenced));
  EXPECT_THAT(values(everything(where, isolation::read_uncommitted)), IsEmpty());
}

TEST_F(transactions, of_a_fenced_producer_do_not_touch_its_heirs) {
  const topic_partition where{fresh_topic(), 0};
  const std::string id = unique("writer");
  writer old{*this, id};
  old.begin();
  old.send(where, numbered(0, 1));
  until_written(where, 1);
  writer young{*this, id};
  young.begin();
  young.send(where, numbered(1, 2));
  until_written(where, 3);
  EXPECT_THAT(old.abort(), fails_with(failure_kind::fenced));
  EXPECT_EQ(last_stable(where), 2) << "the heir's transaction is still open";
  EXPECT_THAT(young.commit(), succeeds());
  EXPECT_THAT(values(everything(where)), ElementsAre("1"));
}

TEST_F(transactions, go_on_after_init_of_a_fenced_producer_which_fences_in_turn) {
  const topic_partition where{fresh_topic(), 0};
  const std::string id = unique("writer");
  writer first{*this, id};
  writer second{*this, id};
  first.begin();
  first.send(where, numbered(0, 1));
  EXPECT_THAT(first.commit(), fails());
  must(first.init());
  first.begin();
  first.send(where, numbered(1, 2));
  EXPECT_THAT(first.commit(), succeeds());
  second.begin();
  second.send(where, numbered(2, 3));
  EXPECT_THAT(second.commit(), fails_with(failure_kind::fenced));
  EXPECT_THAT(values(everything(where)), ElementsAre("1"));
}

TEST_F(transactions, under_way_are_dropped_by_init_of_the_same_producer) {
  const topic_partition where{fresh_topic(), 0};
  writer one{*this, unique("writer")};
  one.begin();
  one.send(where, numbered(0, 2));
  until_written(where, 2);
  must(one.init());
  EXPECT_EQ(last_stable(where), 3);
  one.begin();
  one.send(where, numbered(2, 4));
  must(one.commit());
  EXPECT_THAT(values(everything(where)), ElementsAre("2", "3"));
}

TEST_F(transactions, are_ended_by_a_fence_and_their_owner_is_told) {
  const topic_partition where{fresh_topic(), 0};
  const std::string id = unique("writer");
  writer old{*this, id};
  old.begin();
  old.send(where, numbered(0, 2));
  until_written(where, 2);
  must(fence(id));
  EXPECT_EQ(last_stable(where), 3) << "nothing holds readers up when fence answers";
  EXPECT_THAT(old.commit(), fails_with(failure_kind::fenced));
  EXPECT_THAT(values(everything(where)), IsEmpty());
}

TEST_F(transactions, may_begin_under_an_id_that_was_fenced_before_its_first_use) {
  const topic_partition where{fresh_topic(), 0};
  const std::string id = unique("writer");
  must(fence(id));
  must(fence(id));
  writer one{*this, id};
  one.begin();
  one.send(where, numbered(0, 1));
  EXPECT_THAT(one.commit(), succeeds());
}

TEST_F(transactions, of_different_ids_do_not_disturb_each_other) {
  const topic_partition where{fresh_topic(), 0};
  writer one{*this, unique("writer")};
  writer two{*this, unique("writer")};
  one.begin();
  two.begin();
  one.send(where, numbered(0, 1));
  until_written(where, 1);
  two.send(where, numbered(1, 2));
  until_written(where, 2);
  one.send(where, numbered(2, 3));
  until_written(where, 3);
  must(two.abort());
  must(one.commit());
  EXPECT_THAT(values(everything(where)), ElementsAre("0", "2"));
}

// ---- time

TEST_F(transactions, that_last_too_long_are_aborted_by_the_cluster) {
  const topic_partition where{fresh_topic(), 0};
  writer slow{*this, unique("slow"), 1s};
  slow.begin();
  slow.send(where, numbered(0, 2));
  until_written(where, 2);
  settle(where);
  EXPECT_EQ(last_stable(where), 3);
  EXPECT_THAT(slow.commit(), fails());
  must(slow.init());
  slow.begin();
  slow.send(where, numbered(2, 3));
  EXPECT_THAT(slow.commit(), succeeds());
  EXPECT_THAT(values(everything(where)), ElementsAre("2"));
}

TEST_F(transactions, that_lasted_too_long_take_no_more_records) {
  const topic_partition where{fresh_topic(), 0};
  writer slow{*this, unique("slow"), 1s};
  slow.begin();
  slow.send(where, numbered(0, 2));
  until_written(where, 2);
  settle(where);
  slow.send(where, numbered(2, 4));
  EXPECT_THAT(slow.commit(), fails());
  EXPECT_THAT(values(everything(where)), IsEmpty());
}

// ---- records that the cluster refuses

class refused_records : public suite {
 protected:
  /// The bad record fails its transaction with `kind`, nothing of it is seen, and the producer goes on.
  void expect_refused(const topic_partition& where, const note& bad, failure_kind kind) {
    writer one{*this, unique("writer")};
    one.begin();
    one.send(where, {{.key = "a", .value = "before"}, bad, {.key = "c", .value = "behind"}});
    EXPECT_THAT(one.commit(), fails_with(kind));
    EXPECT_THAT(one.abort(), succeeds());
    one.begin();
    one.send(where, {{.key = "d", .value = "after", .timestamp = in().now()}});
    EXPECT_THAT(one.commit(), succeeds());
    EXPECT_THAT(values(everything(where)), ElementsAre("after"));
  }
};

TEST_F(refused_records, are_larger_than_the_topic_allows) {
  const topic_partition where{fresh_topic(1, {{"max.message.bytes", "10000"}}), 0};
  expect_refused(where, {.key = "b", .value = noise(50'000)}, failure_kind::rejected);
}

TEST_F(refused_records, are_larger_than_any_topic_allows_by_default) {
  const topic_partition where{fresh_topic(), 0};
  expect_refused(where, {.key = "b", .value = noise(2'000'000)}, failure_kind::rejected);
}

TEST_F(refused_records, have_no_key_for_a_compacted_topic) {
  const topic_partition where{fresh_topic(1, {{"cleanup.policy", "compact"}}), 0};
  expect_refused(where, {.key = std::nullopt, .value = "b"}, failure_kind::rejected);
}

TEST_F(refused_records, are_too_far_ahead_of_the_clusters_clock) {
  // The default differs by version, the setting means the same in all of them.
  const topic_partition where{fresh_topic(1, {{"message.timestamp.after.max.ms", "3600000"}}), 0};
  expect_refused(where, {.key = "b", .value = "b", .timestamp = in().now() + 7'200'000}, failure_kind::rejected);
}

TEST_F(refused_records, may_be_ahead_of_the_clusters_clock_where_the_topic_allows_any_time) {
  const topic_partition where{
      fresh_topic(1, {{"message.timestamp.after.max.ms", std::to_string(std::numeric_limits<std::int64_t>::max())}}),
      0};
  const std::vector<note> sent{{.value = "two hours ahead", .timestamp = in().now() + 7'200'000}};
  write(*this, where, sent);
  EXPECT_EQ(everything(where), sent);
}

TEST_F(refused_records, are_reported_by_flush_too) {
  const topic_partition where{fresh_topic(1, {{"max.message.bytes", "10000"}}), 0};
  writer plain{*this, ""};
  plain.send(where, {{.value = noise(50'000)}});
  EXPECT_THAT(plain.flush(), fails_with(failure_kind::rejected));
}

TEST_F(refused_records, go_to_a_partition_that_is_missing) {
  const std::string topic = fresh_topic(2);
  writer one{*this, unique("writer")};
  one.begin();
  one.send({topic, 0}, numbered(0, 1));
  one.send({topic, 7}, numbered(0, 1));
  EXPECT_THAT(one.commit(), fails_with(failure_kind::missing));
  EXPECT_THAT(one.abort(), succeeds());
  one.begin();
  one.send({topic, 1}, numbered(1, 2));
  EXPECT_THAT(one.commit(), succeeds());
  EXPECT_THAT(values(everything({topic, 0})), IsEmpty());
}

TEST_F(refused_records, go_to_a_topic_that_is_missing) {
  writer one{*this, unique("writer")};
  one.begin();
  one.send({unique("nowhere"), 0}, numbered(0, 1));
  EXPECT_THAT(one.commit(), fails_with(failure_kind::missing));
}

}  // namespace
}  // namespace flow::contract
