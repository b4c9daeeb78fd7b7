#include <atomic>

#include "suite.hpp"

namespace flow::contract {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Lt;

class records : public suite {};

TEST_F(records, come_back_byte_for_byte) {
  const topic_partition where{fresh_topic(), 0};
  const std::vector<note> sent{
      {.key = "key", .value = "value"},
      {.key = std::nullopt, .value = "no key"},
      {.key = "", .value = "an empty key"},
      {.key = "no value", .value = std::nullopt},
      {.key = "an empty value", .value = ""},
      {.key = std::nullopt, .value = std::nullopt},
      {.key = std::string("\0\xff\n", 3), .value = noise(500)},
  };
  write(*this, where, sent);
  EXPECT_EQ(everything(where), sent);
}

TEST_F(records, keep_their_headers_in_order_repeated_empty_and_null) {
  const topic_partition where{fresh_topic(), 0};
  const std::vector<note> sent{
      {.key = "k", .value = "v", .headers = {{"b", "1"}, {"a", "2"}, {"b", "3"}}},
      {.key = "k", .value = "v", .headers = {{"null", std::nullopt}, {"empty", ""}, {"", "no name"}}},
      {.key = "k", .value = "v", .headers = {{"bytes", std::string("\0\x01\xfe", 3)}}},
      {.key = "k", .value = "v"},
  };
  write(*this, where, sent);
  EXPECT_EQ(everything(where), sent);
}

TEST_F(records, keep_their_timestamps) {
  const topic_partition where{fresh_topic(), 0};
  const std::vector<note> sent{
      {.value = "now", .timestamp = in().now()},
      {.value = "the first second", .timestamp = 1},
      {.value = "years ago", .timestamp = 1'500'000'000'123},
  };
  write(*this, where, sent);
  EXPECT_EQ(everything(where), sent);
}

TEST_F(records, get_the_clusters_time_where_the_topic_says_so) {
  const topic_partition where{fresh_topic(1, {{"message.timestamp.type", "LogAppendTime"}}), 0};
  const std::int64_t before = in().now();
  write(*this, where, {{.value = "long ago", .timestamp = 1}});
  EXPECT_GE(everything(where).at(0).timestamp, before);
}

TEST_F(records, may_be_empty_or_of_a_megabyte) {
  const topic_partition where{fresh_topic(), 0};
  const std::vector<note> sent{{.value = ""}, {.value = noise(1'000'000)}, {.value = ""}, {.value = noise(1'000'000)}};
  write(*this, where, sent);
  EXPECT_EQ(everything(where), sent);
}

TEST_F(records, keep_their_order_within_a_partition) {
  const std::string topic = fresh_topic(3);
  writer plain{*this, ""};
  for (int batch = 0; batch < 10; ++batch)
    for (std::int32_t partition = 0; partition < 3; ++partition)
      plain.send({topic, partition}, numbered(100 * batch, 100 * batch + 100));
  must(plain.flush());
  for (std::int32_t partition = 0; partition < 3; ++partition)
    EXPECT_EQ(everything({topic, partition}), numbered(0, 1000));
}

TEST_F(records, are_read_from_the_offset_that_was_asked_for) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, numbered(0, 10));
  listener late{*this};
  late.assign(0, where, 7);
  late.until_end(0, 10);
  EXPECT_THAT(late.of(0).offsets, ElementsAre(7, 8, 9));
  EXPECT_THAT(values(late.of(0).notes), ElementsAre("7", "8", "9"));
}

TEST_F(records, of_several_partitions_come_under_their_ids) {
  const std::string topic = fresh_topic(2);
  write(*this, {topic, 0}, numbered(0, 3));
  write(*this, {topic, 1}, numbered(10, 15));
  listener both{*this};
  both.assign(7, {topic, 0}, 0);
  both.assign(3, {topic, 1}, 0);
  both.until_end(7, 3);
  both.until_end(3, 5);
  EXPECT_EQ(both.of(7).notes, numbered(0, 3));
  EXPECT_EQ(both.of(3).notes, numbered(10, 15));
}

TEST_F(records, of_an_unassigned_source_are_delivered_no_more) {
  const std::string topic = fresh_topic(2);
  write(*this, {topic, 0}, numbered(0, 3));
  listener both{*this};
  both.assign(0, {topic, 0}, 0);
  both.assign(1, {topic, 1}, 0);
  both.until_end(0, 3);
  both.unassign(0);
  write(*this, {topic, 0}, numbered(3, 6));
  write(*this, {topic, 1}, numbered(0, 3));
  both.until_records(1, 3);
  EXPECT_EQ(both.of(0).notes, numbered(0, 3));
}

TEST_F(records, that_were_waiting_are_not_delivered_after_unassign) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, numbered(0, 100));
  const auto reader = cluster().open_reader({}, in().wake());
  reader->assign(0, where, 0);
  fetched batch;
  eventually([&] { return reader->poll(batch, 1); }, "the first of them");
  reader->unassign(0);
  batch.clear();
  EXPECT_FALSE(reader->poll(batch, 1000));
  EXPECT_TRUE(batch.empty());
}

TEST_F(records, are_read_again_after_a_new_assignment_of_the_same_id) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, numbered(0, 10));
  listener one{*this};
  one.assign(0, where, 0);
  one.until_end(0, 10);
  for (const std::int64_t from : {8, 0, 5}) {
    one.unassign(0);
    one.assign(0, where, from);
    one.until_end(0, 10);
    EXPECT_EQ(one.of(0).notes, numbered(static_cast<int>(from), 10)) << from;
  }
}

TEST_F(records, go_on_where_an_unassigned_partition_stopped_while_others_are_read) {
  const std::string topic = fresh_topic(2);
  listener both{*this};
  both.assign(0, {topic, 0}, 0);
  both.assign(1, {topic, 1}, 0);
  for (int round = 0; round < 5; ++round) {
    both.unassign(0);
    write(*this, {topic, 0}, numbered(10 * round, 10 * round + 10));
    write(*this, {topic, 1}, numbered(10 * round, 10 * round + 10));
    both.assign(0, {topic, 0}, 10 * round);
    both.until_end(0, 10 * round + 10);
    both.until_end(1, 10 * round + 10);
    EXPECT_EQ(both.of(0).notes, numbered(10 * round, 10 * round + 10));
  }
  EXPECT_EQ(both.of(1).notes, numbered(0, 50));
}

TEST_F(records, larger_than_the_readers_buffer_all_arrive) {
  const topic_partition where{fresh_topic(), 0};
  std::vector<note> sent;
  for (int i = 0; i < 6; ++i) sent.push_back({.key = std::to_string(i), .value = noise(500'000)});
  write(*this, where, sent);
  listener narrow{*this, isolation::read_committed, 100'000};
  narrow.assign(0, where, 0);
  narrow.until_end(0, 6);
  EXPECT_EQ(narrow.of(0).notes, sent);
}

TEST_F(records, wake_the_worker_when_they_arrive) {
  const topic_partition where{fresh_topic(), 0};
  std::atomic<int> woken = 0;
  const auto reader = cluster().open_reader({}, [&woken] { ++woken; });
  reader->assign(0, where, 0);
  fetched batch;
  // What makes a poll answer something is announced, be it the end or a record.
  eventually([&] { return woken > 0; }, "the first waking");
  eventually([&] { return reader->poll(batch, 100) && !batch.ends.empty(); }, "the end");
  batch.clear();
  while (reader->poll(batch, 100)) batch.clear();
  woken = 0;
  write(*this, where, numbered(0, 1));
  eventually([&] { return woken > 0; }, "the waking by a record");
  eventually([&] { return reader->poll(batch, 100) && !batch.records.empty(); }, "the record");
}

TEST_F(records, stay_readable_while_their_buffers_are_kept) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, {{.key = "k", .value = noise(10'000), .headers = {{"h", "1"}}}});
  fetched batch;
  {
    const auto reader = cluster().open_reader({}, in().wake());
    reader->assign(0, where, 0);
    eventually([&] { return reader->poll(batch, 100) && !batch.records.empty(); }, "the record");
    fetched next;
    reader->unassign(0);
    reader->poll(next, 100);
  }
  EXPECT_EQ(batch.records.at(0).value, bytes{noise(10'000)});
  EXPECT_EQ(batch.records.at(0).headers[0].value, bytes{"1"});
}

// ---- ends

TEST_F(records, end_at_once_in_an_empty_partition) {
  listener one{*this};
  one.assign(0, {fresh_topic(), 0}, 0);
  one.until_end(0, 0);
  EXPECT_THAT(one.of(0).notes, IsEmpty());
}

TEST_F(records, end_again_after_more_of_them) {
  const topic_partition where{fresh_topic(), 0};
  listener one{*this};
  one.assign(0, where, 0);
  one.until_end(0, 0);
  write(*this, where, numbered(0, 2));
  one.until_end(0, 2);
  write(*this, where, numbered(2, 5));
  one.until_end(0, 5);
  EXPECT_EQ(one.of(0).notes, numbered(0, 5));
}

TEST_F(records, end_past_a_commit_marker) {
  const topic_partition where{fresh_topic(), 0};
  write_committed(*this, where, numbered(0, 3));
  listener one{*this};
  one.assign(0, where, 0);
  one.until_end(0, 4);
  EXPECT_EQ(one.of(0).notes, numbered(0, 3));
}

TEST_F(records, end_past_an_aborted_batch) {
  const topic_partition where{fresh_topic(), 0};
  write_committed(*this, where, numbered(0, 3));
  write_aborted(*this, where, numbered(3, 7));
  listener one{*this};
  one.assign(0, where, 0);
  one.until_end(0, 9);
  EXPECT_EQ(one.of(0).notes, numbered(0, 3));
}

TEST_F(records, end_past_what_was_aborted_when_nothing_else_is_there) {
  const topic_partition where{fresh_topic(), 0};
  write_aborted(*this, where, numbered(0, 3));
  listener one{*this};
  one.assign(0, where, 0);
  one.until_end(0, 4);
  EXPECT_THAT(one.of(0).notes, IsEmpty());
}

TEST_F(records, end_past_a_marker_that_comes_while_reading) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, numbered(0, 2));
  listener one{*this};
  one.assign(0, where, 0);
  one.until_end(0, 2);
  write_aborted(*this, where, numbered(2, 4));
  one.until_end(0, 5);
  write_committed(*this, where, numbered(4, 5));
  one.until_end(0, 7);
  EXPECT_THAT(values(one.of(0).notes), ElementsAre("0", "1", "4"));
}

// ---- out of range

TEST_F(records, past_the_end_are_out_of_range_and_no_silent_reset) {
  const std::string topic = fresh_topic(2);
  write(*this, {topic, 0}, numbered(0, 3));
  write(*this, {topic, 1}, numbered(0, 3));
  listener both{*this};
  both.assign(0, {topic, 0}, 100);
  both.assign(1, {topic, 1}, 0);
  EXPECT_EQ(both.until_failure(0).kind, failure_kind::out_of_range);
  both.until_end(1, 3);
  EXPECT_THAT(both.of(0).notes, IsEmpty());
  EXPECT_EQ(both.of(1).notes, numbered(0, 3));

  both.unassign(0);
  both.assign(0, {topic, 0}, 3);
  both.until_end(0, 3);
}

TEST_F(records, below_the_first_that_is_left_are_out_of_range) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, numbered(0, 10));
  in().delete_records(where, 4);
  EXPECT_EQ(earliest(where), 4);
  listener below{*this};
  below.assign(0, where, 3);
  EXPECT_EQ(below.until_failure(0).kind, failure_kind::out_of_range);
  EXPECT_THAT(below.of(0).notes, IsEmpty());
  EXPECT_EQ(everything(where), numbered(4, 10));
  EXPECT_THAT(read_range(where, 0, 10), fails_with(failure_kind::out_of_range));
  EXPECT_EQ(must(read_range(where, 4, 10)).records.size(), 6u);
}

TEST_F(records, that_are_deleted_before_they_are_fetched_are_out_of_range) {
  const topic_partition where{fresh_topic(), 0};
  const auto slow = cluster().open_reader({.buffer = 1}, in().wake());
  slow->assign(0, where, 0);
  for (int i = 0; i < 12; ++i) write(*this, where, {{.value = noise(1'000'000)}});
  in().delete_records(where, 11);
  std::vector<std::int64_t> offsets;
  std::optional<failure> failed;
  fetched batch;
  eventually(
      [&] {
        while (slow->poll(batch, 1)) {
          for (const fetched_record& record : batch.records) offsets.push_back(record.offset);
          for (const source_failure& each : batch.failures) failed = each.why;
        }
        return failed.has_value();
      },
      "the news");
  EXPECT_EQ(failed->kind, failure_kind::out_of_range);
  EXPECT_THAT(offsets, Each(Lt(11))) << "nothing behind the gap";
}

TEST_F(records, of_a_topic_that_was_made_anew_do_not_have_the_old_offsets) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, numbered(0, 10));
  in().delete_topic(where.topic);
  ask_until([&] { return must(describe({where.topic})).empty(); }, "the end of the topic");
  EXPECT_THAT(find_offsets({where}, {}), fails_with(failure_kind::missing));
  must(create({topic(where.topic)}));
  ask_until([&] { return !must(describe({where.topic})).empty(); }, "the new topic");
  EXPECT_EQ(high_watermark(where), 0);
  listener one{*this};
  one.assign(0, where, 10);
  EXPECT_EQ(one.until_failure(0).kind, failure_kind::out_of_range);
}

TEST_F(records, at_negative_offsets_are_out_of_range) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, numbered(0, 3));
  // Clients give names such as "beginning", "end" and "stored" to some of these.
  for (const std::int64_t offset : {-1, -2, -1000, -1001}) {
    listener one{*this};
    one.assign(0, where, offset);
    EXPECT_EQ(one.until_failure(0).kind, failure_kind::out_of_range) << offset;
    EXPECT_THAT(one.of(0).notes, IsEmpty()) << offset;
  }
}

TEST_F(records, of_a_missing_topic_or_partition_are_a_failure) {
  const std::string topic = fresh_topic();
  listener both{*this};
  both.assign(0, {unique("nowhere"), 0}, 0);
  both.assign(1, {topic, 5}, 0);
  EXPECT_EQ(both.until_failure(0).kind, failure_kind::missing);
  EXPECT_EQ(both.until_failure(1).kind, failure_kind::missing);
}

}  // namespace
}  // namespace flow::contract
