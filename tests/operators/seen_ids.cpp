#include <flow/seen_ids.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "repetitions.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;

TEST(seen_ids, know_from_which_offset_on_they_are_needed) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 dice{seed};
    const auto window = static_cast<std::int64_t>(1 + dice() % 300);
    const auto records = some_records(dice, 400, window);
    seen_ids ids{std::chrono::milliseconds{window}, key};
    stream_clock clock;
    for (const auto& each : records) {
      ids.judge(each.id, each.offset, each.timestamp, clock.now());
      clock.see(each.timestamp, std::chrono::milliseconds{window});
    }
    const auto first_of = [&](std::int64_t since) {
      auto first = std::numeric_limits<std::int64_t>::max();
      for (const auto& each : records)
        if (each.timestamp >= since) first = std::min(first, each.offset);
      return first;
    };
    const auto oldest = clock.now() - window;
    for (const auto since : {oldest, oldest + window / 3, oldest + window}) {
      EXPECT_LE(ids.first_since(since), first_of(since)) << seed;
      EXPECT_GE(ids.first_since(since), first_of(since - window / 64 - 2)) << seed;
    }
  }
}

TEST(seen_ids, judge_as_the_rule_says) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 dice{seed};
    const auto window = static_cast<std::int64_t>(1 + dice() % 300);
    seen_ids ids{std::chrono::milliseconds{window}, key};
    SCOPED_TRACE(seed);
    judge_as_the_rule_says(ids, some_records(dice, 400, window), [&](std::int64_t needed) {
      if (dice() % 20 == 0) ids.forget_before(needed);
    });
  }
}

TEST(seen_ids, come_to_the_same_verdict_whoever_has_been_further) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 dice{seed};
    const auto window = static_cast<std::int64_t>(1 + dice() % 300);
    const auto records = some_records(dice, 300, window);
    seen_ids ids{std::chrono::milliseconds{window}, key};
    const auto verdicts = [&] {
      std::vector<bool> all;
      stream_clock clock;
      for (const auto& each : records) {
        all.push_back(ids.judge(each.id, each.offset, each.timestamp, clock.now()));
        clock.see(each.timestamp, std::chrono::milliseconds{window});
      }
      return all;
    };
    const auto first = verdicts();
    EXPECT_EQ(verdicts(), first) << "seed " << seed;
  }
}

TEST(seen_ids, are_what_was_exchanged_in_any_order) {
  std::mt19937_64 dice{7};
  const auto records = some_records(dice, 2000, 500);
  seen_ids first{500ms, key};
  for (const auto& each : records) first.judge(each.id, each.offset, each.timestamp, stream_clock::unset);
  auto exchanged = first.take_new();
  EXPECT_EQ(exchanged.size(), records.size());
  std::ranges::shuffle(exchanged, dice);
  seen_ids second{500ms, key};
  second.insert(exchanged);
  second.insert(exchanged);
  for (const auto& each : records)
    EXPECT_EQ(second.judge(each.id, each.offset, each.timestamp, each.timestamp),
              first.judge(each.id, each.offset, each.timestamp, each.timestamp));
}

TEST(seen_ids, judge_as_the_rule_says_where_there_are_many) {
  constexpr std::int64_t window = 200'000;
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    std::mt19937_64 dice{seed};
    std::vector<seen> records;
    for (std::int64_t i = 0; i < 200'000; ++i) {
      const auto late = dice() % 4 == 0 ? static_cast<std::int64_t>(dice() % (window * 5 / 4)) : 0;
      const auto id = dice() % 50 == 0 ? "often" : "id " + std::to_string(dice() % 80'000);
      // What lies between them a topic may have lost.
      const auto offset = i < 120'000 ? i : i + (std::int64_t{1} << 40);
      records.push_back({id, offset, 2 * i - late});
    }
    seen_ids ids{std::chrono::milliseconds{window}, key};
    stream_clock clock;
    std::map<std::string, std::vector<seen>> before;
    std::vector<stream_clock> clocks;
    std::vector<bool> verdicts;
    for (const auto& each : records) {
      clocks.push_back(clock);
      verdicts.push_back(is_duplicate(before[each.id], each, window, clock.now()));
      ASSERT_EQ(ids.judge(each.id, each.offset, each.timestamp, clock.now()), verdicts.back())
          << "seed " << seed << ", offset " << each.offset;
      clock.see(each.timestamp, std::chrono::milliseconds{window});
      before[each.id].push_back(each);
      if (dice() % 2000 == 0 && clock.now() != stream_clock::unset) ids.forget_before(clock.now() - window);
    }
    EXPECT_GT(ids.size(), 90'000u);
    EXPECT_LE(ids.memory() / ids.size(), 40u);

    auto exchanged = ids.take_new();
    std::ranges::shuffle(exchanged, dice);
    seen_ids others{std::chrono::milliseconds{window}, key};
    others.insert(exchanged);
    others.insert(std::span{exchanged}.first(exchanged.size() / 2));
    EXPECT_LE(others.size(), exchanged.size());
    for (std::size_t i = 0; i < records.size(); ++i)
      ASSERT_EQ(others.judge(records[i].id, records[i].offset, records[i].timestamp, clocks[i].now()), verdicts[i])
          << "seed " << seed << ", offset " << records[i].offset;
  }
}

TEST(seen_ids, of_one_kind_are_no_way_to_make_it_slow) {
  seen_ids ids{24h, key};
  for (std::int64_t i = 0; i < 200'000; ++i) EXPECT_EQ(ids.judge("the same", i, i, i), i > 0);
}

TEST(seen_ids, that_are_empty_or_long_are_ids) {
  seen_ids ids{1s, key};
  const std::string text(1 << 20, 'a');
  EXPECT_FALSE(ids.judge("", 0, 0, 0));
  EXPECT_TRUE(ids.judge("", 1, 0, 0));
  EXPECT_FALSE(ids.judge(text, 2, 0, 0));
  EXPECT_FALSE(ids.judge(text + "b", 3, 0, 0));
  EXPECT_TRUE(ids.judge(text, 4, 0, 0));
}

TEST(seen_ids, take_no_more_memory_than_the_window_needs) {
  seen_ids ids{1s, key};
  std::size_t most = 0, most_kept = 0;
  for (std::int64_t i = 0; i < 1'000'000; ++i) {
    ids.judge("id " + std::to_string(i), i, i / 100, i / 100);
    if (i % 1000 == 0) ids.forget_before(i / 100 - 1000);
    most = std::max(most, ids.memory());
    most_kept = std::max(most_kept, ids.size());
  }
  // A sixteenth of the window may have expired, and what comes between two calls.
  EXPECT_LE(most_kept, 107'500u);
  EXPECT_LE(most / 100'000, 40u);
}

TEST(a_stream_clock, is_the_highest_timestamp) {
  stream_clock clock;
  for (const std::int64_t at : {100, 90, 120, 110}) clock.see(at, 50ms);
  EXPECT_EQ(clock.now(), 120);
}

TEST(a_stream_clock, begins_when_two_in_a_row_agree) {
  stream_clock clock;
  clock.see(1'000'000, 50ms);
  clock.see(100, 50ms);
  EXPECT_EQ(clock.now(), stream_clock::unset);
  clock.see(110, 50ms);
  EXPECT_EQ(clock.now(), 110);
}

TEST(a_stream_clock, is_moved_by_the_sixteenth_in_a_row_that_is_far_ahead_to_the_lowest_of_them) {
  stream_clock clock;
  for (const std::int64_t at : {100, 100}) clock.see(at, 50ms);
  for (int i = 0; i < 15; ++i) clock.see(100'000 + i, 50ms);
  EXPECT_EQ(clock.now(), 100);
  clock.see(100, 50ms);
  for (int i = 0; i < 15; ++i) clock.see(100'000 + i, 50ms);
  EXPECT_EQ(clock.now(), 100);
  clock.see(std::numeric_limits<std::int64_t>::max(), 50ms);
  EXPECT_EQ(clock.now(), 100'000);
}

TEST(a_stream_clock, does_not_look_at_records_without_a_timestamp) {
  stream_clock clock;
  for (const std::int64_t at : {-1, -1, -1}) clock.see(at, 50ms);
  EXPECT_EQ(clock.now(), stream_clock::unset);
}

}  // namespace
}  // namespace flow
