#include <algorithm>

#include "suite.hpp"

namespace flow::contract {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using query = port::offset_query::kind;

class topics : public suite {
 protected:
  std::int32_t listed_partitions(const std::string& topic) {
    for (const port::topic_description& each : must(list_topics()))
      if (each.name == topic) return each.partitions;
    return 0;
  }
};

TEST_F(topics, a_cluster_says_who_it_is_and_stays_it) {
  const auto identify = [&](port::cluster& at) {
    return must(await<std::string>([&](auto done) { at.identify(done); }));
  };
  const std::string id = identify(cluster());
  EXPECT_FALSE(id.empty());
  EXPECT_EQ(identify(cluster()), id);
  EXPECT_EQ(identify(*in().connect("another")), id);
}

TEST_F(topics, that_were_created_are_listed) {
  const std::string one = unique("one");
  const std::string two = unique("two");
  must(create({topic(one, 3), topic(two)}));
  ask_until([&] { return listed_partitions(one) == 3 && listed_partitions(two) == 1; }, "both topics");
}

TEST_F(topics, that_are_there_already_are_created_with_success) {
  const std::string old = fresh_topic(2);
  const std::string young = unique("young");
  EXPECT_THAT(create({topic(old, 5)}), succeeds());
  EXPECT_THAT(create({topic(old, 2), topic(young)}), succeeds());
  ask_until([&] { return listed_partitions(young) == 1; }, "the topic that was not there");
  EXPECT_EQ(listed_partitions(old), 2);
}

TEST_F(topics, tell_their_settings) {
  const std::string plain = fresh_topic();
  const std::string set = fresh_topic(2, {{"cleanup.policy", "compact"}, {"max.message.bytes", "54321"}});
  auto described = must(describe({plain, set}));
  ASSERT_EQ(described.size(), 2u);
  if (described[0].name != plain) std::swap(described[0], described[1]);
  EXPECT_EQ(described[1].partitions, 2);
  EXPECT_EQ(described[1].settings["cleanup.policy"], "compact");
  EXPECT_EQ(described[1].settings["max.message.bytes"], "54321");
  EXPECT_EQ(described[0].settings["cleanup.policy"], "delete");
  EXPECT_EQ(described[0].settings["message.timestamp.type"], "CreateTime");
  EXPECT_EQ(described[0].settings["max.message.bytes"], "1048588");
}

TEST_F(topics, that_are_missing_are_left_out_of_descriptions) {
  const std::string there = fresh_topic();
  const auto described = must(describe({unique("nowhere"), there}));
  ASSERT_EQ(described.size(), 1u);
  EXPECT_EQ(described[0].name, there);
}

TEST_F(topics, grow_and_the_new_partitions_take_records_from_an_old_producer_and_give_them_to_an_old_reader) {
  const std::string topic = fresh_topic(1);
  writer old{*this, unique("writer")};
  old.begin();
  old.send({topic, 0}, numbered(0, 1));
  must(old.commit());
  listener reading{*this};
  reading.assign(0, {topic, 0}, 0);
  reading.until_records(0, 1);

  must(add_partitions(topic, 3));
  ask_until([&] { return listed_partitions(topic) == 3; }, "the new partitions");
  old.begin();
  old.send({topic, 2}, numbered(5, 6));
  EXPECT_THAT(old.commit(), succeeds());
  reading.assign(2, {topic, 2}, 0);
  reading.until_records(2, 1);
  EXPECT_THAT(values(reading.of(2).notes), ElementsAre("5"));
  EXPECT_THAT(values(reading.of(0).notes), ElementsAre("0"));
}

TEST_F(topics, that_are_missing_do_not_grow) {
  EXPECT_THAT(add_partitions(unique("nowhere"), 3), fails_with(failure_kind::missing));
}

TEST_F(topics, change_their_settings_and_keep_the_others) {
  const std::string topic = fresh_topic(1, {{"cleanup.policy", "compact"}, {"retention.ms", "100000"}});
  const auto is = [&](const std::string& name) { return must(describe({topic})).at(0).settings[name]; };
  must(change_settings(topic, {{"retention.ms", "200000"}, {"max.message.bytes", "54321"}}));
  ask_until([&] { return is("retention.ms") == "200000"; }, "the new setting");
  EXPECT_EQ(is("max.message.bytes"), "54321");
  EXPECT_EQ(is("cleanup.policy"), "compact");
  must(change_settings(topic, {{"retention.ms", "300000"}}));
  ask_until([&] { return is("retention.ms") == "300000"; }, "the newest setting");
  EXPECT_EQ(is("max.message.bytes"), "54321");
  EXPECT_EQ(is("cleanup.policy"), "compact");
}

TEST_F(topics, keep_their_settings_if_they_cannot_be_changed) {
  const std::string topic = fresh_topic(1, {{"max.message.bytes", "54321"}});
  EXPECT_THAT(change_settings(topic, {{"max.message.bytes", "many"}}), Not(succeeds()));
  EXPECT_EQ(must(describe({topic})).at(0).settings["max.message.bytes"], "54321");
  EXPECT_THAT(change_settings(unique("nowhere"), {{"retention.ms", "1"}}), fails_with(failure_kind::missing));
}

// ---- offsets

TEST_F(topics, tell_where_they_begin_and_end) {
  const std::string topic = fresh_topic(2);
  write(*this, {topic, 1}, numbered(0, 4));
  const std::vector<topic_partition> both{{topic, 1}, {topic, 0}};
  EXPECT_THAT(must(find_offsets(both, {query::earliest})), ElementsAre(0, 0));
  EXPECT_THAT(must(find_offsets(both, {query::high_watermark})), ElementsAre(4, 0));
  EXPECT_THAT(must(find_offsets(both, {query::last_stable})), ElementsAre(4, 0));
}

TEST_F(topics, know_the_first_offset_of_a_time) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, {{.timestamp = 1000}, {.timestamp = 3000}, {.timestamp = 2000}, {.timestamp = 5000}});
  const auto at = [&](std::int64_t time) { return find_offset(where, {query::at_time, time}); };
  EXPECT_EQ(at(0), 0);
  EXPECT_EQ(at(1000), 0);
  EXPECT_EQ(at(1001), 1);
  EXPECT_EQ(at(3000), 1);
  EXPECT_EQ(at(3001), 3);
  EXPECT_EQ(at(5001), 4) << "the high watermark if there is none";
}

TEST_F(topics, that_are_empty_answer_a_time_with_their_end) {
  EXPECT_EQ(find_offset({fresh_topic(), 0}, {query::at_time, 1000}), 0);
}

TEST_F(topics, that_are_missing_have_no_offsets) {
  const std::string topic = fresh_topic();
  for (const query which : {query::earliest, query::high_watermark, query::last_stable, query::at_time}) {
    EXPECT_THAT(find_offsets({{unique("nowhere"), 0}}, {which}), fails_with(failure_kind::missing));
    EXPECT_THAT(find_offsets({{topic, 9}}, {which}), fails_with(failure_kind::missing));
  }
}

// ---- deleted records

TEST_F(topics, lose_what_lies_below_an_offset_and_nothing_else) {
  const std::string topic = fresh_topic(2);
  const topic_partition where{topic, 0};
  write(*this, where, numbered(0, 4));
  write(*this, {topic, 1}, numbered(0, 4));
  EXPECT_THAT(delete_records({{where, 2}, {{topic, 1}, 4}}), succeeds());
  EXPECT_EQ(earliest(where), 2);
  EXPECT_EQ(earliest({topic, 1}), 4);
  EXPECT_EQ(high_watermark({topic, 1}), 4);
  EXPECT_THAT(values(must(read_range(where, 2, 4)).records), ElementsAre("2", "3"));
  EXPECT_THAT(read_range(where, 1, 4), fails_with(failure_kind::out_of_range));
}

TEST_F(topics, lose_nothing_more_where_it_is_gone_already) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, numbered(0, 4));
  must(delete_records({{where, 3}}));
  EXPECT_THAT(delete_records({{where, 1}}), succeeds());
  EXPECT_THAT(delete_records({{where, 3}}), succeeds());
  EXPECT_EQ(earliest(where), 3);
}

TEST_F(topics, lose_no_records_that_do_not_exist) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, numbered(0, 4));
  EXPECT_THAT(delete_records({{where, 5}}), fails_with(failure_kind::out_of_range));
  EXPECT_EQ(earliest(where), 0);
  EXPECT_THAT(delete_records({{{unique("nowhere"), 0}, 1}}), fails_with(failure_kind::missing));
}

TEST_F(topics, that_are_compacted_lose_no_records) {
  const topic_partition where{fresh_topic(1, {{"cleanup.policy", "compact"}}), 0};
  write(*this, where, {{.key = "a", .value = "0"}, {.key = "b", .value = "1"}});
  EXPECT_THAT(delete_records({{where, 1}}), fails_with(failure_kind::denied));
  EXPECT_EQ(earliest(where), 0);
}

// ---- ranges

TEST_F(topics, are_read_by_range) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, {{.key = "a", .value = "0"}, {.value = "1", .timestamp = 7}, {.key = ""}, {.value = "3"}});
  const port::range_read read = must(read_range(where, 1, 3));
  ASSERT_EQ(read.records.size(), 2u);
  EXPECT_EQ(read.records[0].offset, 1);
  EXPECT_EQ(read.records[0].timestamp, 7);
  EXPECT_EQ(read.records[0].key, std::nullopt);
  EXPECT_EQ(read.records[0].value, "1");
  EXPECT_EQ(read.records[1].key, "");
  EXPECT_EQ(read.records[1].value, std::nullopt);
  EXPECT_EQ(read.next, 3) << "behind it, a record would be passed over by whoever goes on";
}

TEST_F(topics, are_read_past_markers_and_aborted_records) {
  const topic_partition where{fresh_topic(), 0};
  write_committed(*this, where, numbered(0, 2));  // the marker is at 2
  write_aborted(*this, where, numbered(3, 5));    // the marker is at 5
  const port::range_read all = must(read_range(where, 0, 6));
  EXPECT_THAT(values(all.records), ElementsAre("0", "1"));
  EXPECT_EQ(all.next, 6);
  EXPECT_GE(must(read_range(where, 0, 3)).next, 3) << "the asked-for end is behind a marker";
  EXPECT_THAT(values(must(read_range(where, 2, 4)).records), IsEmpty());
  EXPECT_THAT(values(must(read_range(where, 0, 6, isolation::read_uncommitted)).records),
              ElementsAre("0", "1", "3", "4"));
}

TEST_F(topics, are_read_by_an_empty_range_at_once) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, numbered(0, 3));
  for (const std::int64_t at : {0, 2, 3}) {
    const port::range_read nothing = must(read_range(where, at, at));
    EXPECT_THAT(nothing.records, IsEmpty());
    EXPECT_EQ(nothing.next, at);
  }
}

TEST_F(topics, held_up_by_an_open_transaction_are_read_when_it_is_decided_or_not_in_time) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, numbered(0, 1));
  writer open{*this, unique("writer")};
  open.begin();
  open.send(where, numbered(1, 3));
  ask_until([&] { return high_watermark(where) == 3; }, "the open transaction");
  EXPECT_THAT(read_range(where, 0, 3, isolation::read_committed, 1s), fails_with(failure_kind::timed_out));
  EXPECT_THAT(values(must(read_range(where, 0, 1)).records), ElementsAre("0"));
  EXPECT_THAT(values(must(read_range(where, 0, 3, isolation::read_uncommitted)).records), ElementsAre("0", "1", "2"));
  must(open.commit());
  EXPECT_THAT(values(must(read_range(where, 0, 3)).records), ElementsAre("0", "1", "2"));
}

TEST_F(topics, are_not_read_from_ahead_of_their_end) {
  const topic_partition where{fresh_topic(), 0};
  write(*this, where, numbered(0, 3));
  EXPECT_THAT(read_range(where, 10, 12, isolation::read_uncommitted), fails_with(failure_kind::out_of_range));
  EXPECT_THAT(read_range(where, 3, 4, isolation::read_uncommitted, 1s), fails_with(failure_kind::timed_out));
}

TEST_F(topics, that_are_missing_are_not_read_by_range) {
  EXPECT_THAT(read_range({unique("nowhere"), 0}, 0, 1), fails_with(failure_kind::missing));
}

}  // namespace
}  // namespace flow::contract
