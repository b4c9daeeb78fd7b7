#include "partition_log.hpp"

#include <gmock/gmock.h>

#include <limits>

namespace flow::memory {
namespace {

using port::isolation;
using ::testing::ElementsAre;

constexpr producer_identity nobody{};
constexpr producer_identity ann{1, 0};
constexpr producer_identity bob{2, 0};
constexpr std::size_t everything = std::numeric_limits<std::size_t>::max();

fetched_record entry(bytes key, bytes value, std::int64_t timestamp = 0) {
  return {0, 0, timestamp, key, value, {}};
}

class partition_log_test : public ::testing::Test {
 protected:
  std::int64_t append(producer_identity who, std::vector<fetched_record> records) {
    return log_.append(who, who.id >= 0, records);
  }

  std::vector<std::string> values(std::int64_t from, isolation isolated = isolation::read_committed) {
    std::vector<std::string> all;
    const auto read = log_.read(from, isolated, everything);
    for (const log_slice& each : read->slices)
      for (std::size_t index = each.first; index < each.last; ++index)
        all.push_back(each.records->records()[index].value.str());
    return all;
  }

  partition_log log_;
};

TEST_F(partition_log_test, is_stable_below_the_oldest_open_transaction) {
  append(nobody, {entry("k", "0")});
  append(ann, {entry("k", "1")});
  append(bob, {entry("k", "2")});
  EXPECT_EQ(log_.last_stable(), 1);
  log_.append_marker(bob, true, 0);
  EXPECT_EQ(log_.last_stable(), 1) << "an older one is still open";
  EXPECT_THAT(values(0), ElementsAre("0"));
  log_.append_marker(ann, false, 0);
  EXPECT_EQ(log_.last_stable(), 5);
  EXPECT_THAT(values(0), ElementsAre("0", "2"));
  EXPECT_THAT(values(0, isolation::read_uncommitted), ElementsAre("0", "1", "2"));
}

TEST_F(partition_log_test, reads_whole_batches_up_to_a_bound_and_goes_on_behind_them) {
  for (const char* value : {"aaaa", "bbbb", "cccc"}) append(nobody, {entry({}, value), entry({}, value)});
  const auto first = log_.read(1, isolation::read_committed, 1);
  ASSERT_EQ(first->slices.size(), 1u);
  EXPECT_EQ(first->slices[0].first, 1u) << "the record before was not asked for";
  EXPECT_EQ(first->next, 2);
  EXPECT_FALSE(first->at_end);
  const auto rest = log_.read(first->next, isolation::read_committed, everything);
  EXPECT_EQ(rest->next, 6);
  EXPECT_TRUE(rest->at_end);
}

TEST_F(partition_log_test, remembers_epochs_from_markers) {
  append(ann, {entry("k", "1")});
  EXPECT_TRUE(log_.admit(ann));
  log_.append_marker({ann.id, 1}, false, 0);
  EXPECT_EQ(log_.admit(ann).error().kind, failure_kind::fenced);
  EXPECT_TRUE(log_.admit({ann.id, 1}));
}

TEST_F(partition_log_test, is_truncated_within_a_batch) {
  append(nobody, {entry({}, "0"), entry({}, "1"), entry({}, "2")});
  log_.truncate(2);
  EXPECT_EQ(log_.start(), 2);
  EXPECT_THAT(values(2), ElementsAre("2"));
  EXPECT_EQ(log_.read(1, isolation::read_committed, everything).error().kind, failure_kind::out_of_range);
  EXPECT_EQ(log_.read(4, isolation::read_committed, everything).error().kind, failure_kind::out_of_range);
  EXPECT_EQ(log_.at_time(0), 2);
}

TEST_F(partition_log_test, compacts_only_what_is_stable) {
  append(nobody, {entry("a", "1"), entry("b", "2"), entry("a", "3")});
  append(ann, {entry("a", "open")});
  append(nobody, {entry("b", "behind")});
  log_.compact();
  EXPECT_THAT(values(0, isolation::read_uncommitted), ElementsAre("2", "3", "open", "behind"));
  log_.append_marker(ann, false, 0);
  log_.compact();
  EXPECT_THAT(values(0), ElementsAre("3", "behind"));
  EXPECT_THAT(values(3), ElementsAre("behind"));
  EXPECT_EQ(log_.high_watermark(), 6);
}

TEST_F(partition_log_test, keeps_tombstones) {
  append(nobody, {entry("a", "1"), entry("a", {})});
  log_.compact();
  const auto read = log_.read(0, isolation::read_committed, everything);
  ASSERT_EQ(read->slices.size(), 1u);
  EXPECT_TRUE(read->slices[0].records->records()[0].value.is_null());
  EXPECT_EQ(read->slices[0].records->records()[0].offset, 1);
}

TEST(packed_records, keep_null_and_empty_apart) {
  const std::vector<header> headers{{"", {}}, {"h", ""}, {"h", "2"}};
  packed_records packed{std::vector{fetched_record{0, 0, 0, {}, "", headers}}};
  const record kept = to_record(packed.records()[0]);
  EXPECT_EQ(kept.key, std::nullopt);
  EXPECT_EQ(kept.value, "");
  EXPECT_THAT(kept.headers,
              ElementsAre(record_header{"", std::nullopt}, record_header{"h", ""}, record_header{"h", "2"}));
}

}  // namespace
}  // namespace flow::memory
