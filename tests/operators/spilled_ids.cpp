#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "fuse_filter.hpp"
#include "repetitions.hpp"
#include "spilled_occurrences.hpp"

#include <flow/seen_ids.hpp>
#include <flow/spill.hpp>

namespace flow {
namespace {

using namespace std::chrono_literals;

/// What a disk is asked for, and whether it fails.
struct disk {
  int reads = 0;
  int writes = 0;
  std::size_t used = 0;
  int files = 0;
  bool is_full = false;
  bool is_broken = false;
  std::vector<std::string> said;

  class file;
  spill holding(std::size_t memory);
};

class disk::file final : public port::scratch {
 public:
  explicit file(disk& of) : of_{of} { ++of_.files; }
  ~file() override { --of_.files; }

  result<void> write(std::uint64_t at, std::span<const std::byte> what) override {
    ++of_.writes;
    if (of_.is_full) return fail(failure_kind::retriable, "no space is left", "make room");
    content_.resize(std::max<std::size_t>(content_.size(), at + what.size()), nothing);
    std::ranges::copy(what, content_.begin() + static_cast<std::ptrdiff_t>(at));
    return {};
  }
  result<void> read(std::uint64_t at, std::span<std::byte> into) override {
    ++of_.reads;
    if (of_.is_broken) return fail(failure_kind::retriable, "the disk is gone", "bring it back");
    std::ranges::copy(std::span{content_}.subspan(at, into.size()), into.begin());
    return {};
  }
  void drop(std::uint64_t from, std::uint64_t until) override {
    for (; from < std::min<std::uint64_t>(until, content_.size()); ++from) content_[from] = nothing;
  }

 private:
  static constexpr std::byte nothing{0xff};
  disk& of_;
  std::vector<std::byte> content_;
};

spill disk::holding(std::size_t memory) {
  return spill{memory, [this]() -> result<std::unique_ptr<port::scratch>> { return std::make_unique<file>(*this); },
               [this](severity, std::string_view text) { said.emplace_back(text); }};
}

std::vector<occurrence> some_occurrences(std::mt19937_64& dice, std::size_t count) {
  std::vector<occurrence> made;
  for (std::size_t i = 0; i < count; ++i) {
    occurrence one{dice(), dice(), static_cast<std::int64_t>(i), static_cast<std::int64_t>(i / 10)};
    // Some ids are there more than once.
    for (auto times = 1 + (dice() % 16 == 0) * dice() % 8; times > 0; --times) made.push_back(one), ++one.offset;
  }
  std::ranges::sort(made, {}, [](const auto& each) { return std::tuple{each.high, each.low, each.offset}; });
  return made;
}

spilled_occurrences spilled(spill& beyond, const std::vector<occurrence>& all) {
  auto to = *spilled_occurrences::writer::begin(beyond, all.size());
  for (const auto& each : all) EXPECT_TRUE(to.add(each));
  return *to.finish();
}

std::vector<occurrence> read_back(const spilled_occurrences& from) {
  std::vector<occurrence> found;
  spilled_occurrences::reader reader{from};
  while (reader.next() && reader.front()) found.push_back(*reader.front());
  return found;
}

std::vector<occurrence> found_in(const spilled_occurrences& all, const occurrence& what) {
  std::vector<occurrence> found;
  all.any(what, [&](const occurrence& each) {
    found.push_back(each);
    return false;
  });
  return found;
}

/// Gives nothing back, which is left to its destructor.
std::pmr::monotonic_buffer_resource room;

TEST(a_fuse_filter, forgets_none_and_takes_few_others_for_its_own) {
  std::mt19937_64 dice{1};
  for (const std::size_t count : {0, 1, 2, 3, 7, 20, 100, 999, 5000, 49'152, 200'000})
    for (const unsigned bits : {1u, 3u, 4u, 8u}) {
      std::vector<std::uint64_t> numbers(count);
      for (auto& each : numbers) each = dice();
      const fuse_filter filter{numbers, bits, room};
      ASSERT_TRUE(std::ranges::all_of(numbers, [&](auto each) { return filter.may_hold(each); })) << count;
      constexpr int others = 100'000;
      int taken = 0;
      for (int i = 0; i < others; ++i) taken += filter.may_hold(dice());
      EXPECT_NEAR(taken, others >> bits, 0.25 * (others >> bits) + 10) << count << " of " << bits << " bits";
      if (count < 5000) continue;
      EXPECT_LT(8.0 * static_cast<double>(filter.memory()) / static_cast<double>(count), 1.3 * bits);
    }
}

TEST(a_fuse_filter, takes_numbers_that_are_alike) {
  std::vector<std::uint64_t> numbers(10'000);
  std::iota(numbers.begin(), numbers.end(), 0u);
  const fuse_filter filter{numbers, 8, room};
  EXPECT_TRUE(std::ranges::all_of(numbers, [&](auto each) { return filter.may_hold(each); }));
}

TEST(a_fuse_filter, that_cannot_be_built_takes_everything) {
  const std::vector<std::uint64_t> numbers(1000, 42);
  const fuse_filter filter{numbers, 8, room};
  EXPECT_TRUE(filter.may_hold(42));
}

TEST(spilled_occurrences, are_found_and_others_are_seldom_looked_for) {
  disk there;
  auto beyond = there.holding(0);
  std::mt19937_64 dice{2};
  for (const std::size_t count : {1, 10, 1000, 60'000, 200'000}) {
    const auto all = some_occurrences(dice, count);
    const auto made = spilled(beyond, all);
    EXPECT_EQ(made.size(), all.size());
    EXPECT_EQ(read_back(made), all);
    for (std::size_t i = 0; i < all.size(); i += 1 + count / 500) {
      std::vector<occurrence> alike;
      std::ranges::copy_if(all, std::back_inserter(alike),
                           [&](const auto& each) { return hash_of(each) == hash_of(all[i]); });
      ASSERT_EQ(found_in(made, all[i]), alike);
    }
    there.reads = 0;
    for (int i = 0; i < 10'000; ++i) EXPECT_TRUE(found_in(made, {.high = dice(), .low = dice()}).empty());
    EXPECT_LT(there.reads, 10'000 / 12);
    EXPECT_LT(made.memory() * 8, made.size() * 6 + 40'000);
  }
  EXPECT_EQ(beyond.on_disk(), 0u);
}

// As what a damaged state directory holds may be.
TEST(spilled_occurrences, are_found_though_their_hashes_are_odd) {
  disk there;
  auto beyond = there.holding(0);
  std::mt19937_64 dice{3};
  auto all = some_occurrences(dice, 100'000);
  for (auto& each : all) each.high %= 1000;
  std::ranges::sort(all, {}, hash_of);
  const auto made = spilled(beyond, all);
  for (std::size_t i = 0; i < all.size(); i += 1000) ASSERT_THAT(found_in(made, all[i]), testing::Contains(all[i]));
}

TEST(spilled_occurrences, are_merged_a_few_at_a_time) {
  disk there;
  auto beyond = there.holding(0);
  std::mt19937_64 dice{4};
  std::vector<occurrence> all;
  std::vector<spilled_occurrences::merging::run> runs;
  for (const std::size_t count : {1, 70'000, 3000, 30'000}) {
    const auto some = some_occurrences(dice, count);
    all.insert(all.end(), some.begin(), some.end());
    runs.push_back(std::make_shared<const spilled_occurrences>(spilled(beyond, some)));
  }
  std::ranges::sort(all, {}, [](const auto& each) { return std::tuple{each.high, each.low, each.offset}; });
  auto merging = *spilled_occurrences::merging::begin(beyond, runs);
  spilled_occurrences::merging::run made;
  int calls = 0;
  while (!made) made = *merging.go_on(1000), ++calls;
  EXPECT_EQ(calls, static_cast<int>(all.size()) / 1000 + 1);
  EXPECT_EQ(read_back(*made), all);
  for (std::size_t i = 0; i < all.size(); i += 20) ASSERT_THAT(found_in(*made, all[i]), testing::Contains(all[i]));
}

/// How much memory there is, and how often room is made.
class ids_beyond_memory : public testing::TestWithParam<std::size_t> {
 protected:
  disk disk_;
  spill beyond_ = disk_.holding(GetParam());
};
INSTANTIATE_TEST_SUITE_P(of, ids_beyond_memory, testing::Values(0, 4000, 100'000));

TEST_P(ids_beyond_memory, are_judged_as_the_rule_says) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 dice{seed};
    const auto window = static_cast<std::int64_t>(1 + dice() % 300);
    const auto records = some_records(dice, 400, window);
    const auto often = 1 + dice() % 30;
    seen_ids ids{std::chrono::milliseconds{window}, key, &beyond_};
    SCOPED_TRACE(seed);
    judge_as_the_rule_says(ids, records, [&](std::int64_t needed) {
      if (dice() % 20 == 0) ids.forget_before(needed);
      if (dice() % often == 0) ids.make_room();
    });
  }
  EXPECT_GT(disk_.writes, 0);
  EXPECT_EQ(beyond_.in_memory(), 0u);
  EXPECT_EQ(beyond_.on_disk(), 0u);
}

TEST_P(ids_beyond_memory, are_judged_as_the_rule_says_though_the_disk_fails_now_and_then) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    std::mt19937_64 dice{seed};
    const auto window = static_cast<std::int64_t>(1 + dice() % 300);
    const auto records = some_records(dice, 400, window);
    seen_ids ids{std::chrono::milliseconds{window}, key, &beyond_};
    stream_clock clock;
    std::vector<seen> before;
    for (const auto& each : records) {
      std::optional<bool> verdict;
      while (!verdict) {
        disk_.is_full = disk_.is_broken = dice() % 4 == 0;
        try {
          verdict = ids.judge(each.id, each.offset, each.timestamp, clock.now());
        } catch (const unanswered&) {
        }
      }
      ASSERT_EQ(*verdict, is_duplicate(before, each, window, clock.now()))
          << "seed " << seed << ", offset " << each.offset;
      clock.see(each.timestamp, std::chrono::milliseconds{window});
      before.push_back(each);
      if (dice() % 20 == 0 && clock.now() != stream_clock::unset) ids.forget_before(clock.now() - window);
      if (dice() % 10 == 0) ids.make_room();
    }
  }
}

TEST_P(ids_beyond_memory, are_judged_as_the_rule_says_where_there_are_many) {
  constexpr std::int64_t window = 40'000;
  std::mt19937_64 dice{GetParam()};
  std::vector<seen> records;
  for (std::int64_t i = 0; i < 60'000; ++i) {
    const auto late = dice() % 4 == 0 ? static_cast<std::int64_t>(dice() % (window * 5 / 4)) : 0;
    const auto id = dice() % 50 == 0 ? "often" : "id " + std::to_string(dice() % 20'000);
    records.push_back({id, i, 2 * i - late});
  }
  seen_ids ids{std::chrono::milliseconds{window}, key, &beyond_};
  stream_clock clock;
  std::map<std::string, std::vector<seen>> before;
  std::vector<stream_clock> clocks;
  std::vector<bool> verdicts;
  for (const auto& each : records) {
    clocks.push_back(clock);
    verdicts.push_back(is_duplicate(before[each.id], each, window, clock.now()));
    ASSERT_EQ(ids.judge(each.id, each.offset, each.timestamp, clock.now()), verdicts.back()) << each.offset;
    clock.see(each.timestamp, std::chrono::milliseconds{window});
    before[each.id].push_back(each);
    if (dice() % 500 == 0) ids.make_room();
  }
  seen_ids others{std::chrono::milliseconds{window}, key};
  others.insert(ids.take_new());
  EXPECT_EQ(ids.size(), others.size());
  EXPECT_GT(beyond_.on_disk(), 20'000u * sizeof(occurrence));
  // A target that is behind is judged as it would have been then.
  for (std::size_t i = 0; i < records.size(); i += 7)
    ASSERT_EQ(ids.judge(records[i].id, records[i].offset, records[i].timestamp, clocks[i].now()), verdicts[i]) << i;

  const auto size = ids.size();
  ids.forget_before(clock.now() + 1'000'000);
  EXPECT_GT(size, 50'000u);
  EXPECT_EQ(ids.size(), 0u);
  EXPECT_EQ(beyond_.on_disk(), 0u);
}

TEST_P(ids_beyond_memory, know_from_which_offset_on_they_are_needed) {
  std::mt19937_64 dice{9};
  const auto records = some_records(dice, 4000, 500);
  seen_ids ids{500ms, key, &beyond_}, others{500ms, key};
  for (const auto& each : records) {
    ids.judge(each.id, each.offset, each.timestamp, stream_clock::unset);
    others.judge(each.id, each.offset, each.timestamp, stream_clock::unset);
    ids.make_room();
  }
  for (std::int64_t since = 999'000; since < 1'010'000; since += 50)
    EXPECT_EQ(ids.first_since(since), others.first_since(since)) << since;
}

/// Random ids, of which a few lie in memory and each is there once.
struct many_ids {
  std::size_t memory = 200'000;
  disk on{};
  spill beyond = on.holding(memory);
  seen_ids ids{1h, key, &beyond};
  std::int64_t next = 0;

  bool judge(std::int64_t number, std::int64_t offset) {
    return ids.judge("id " + std::to_string(number), offset, offset / 10, offset / 10);
  }
  void add(int count) {
    for (; count > 0; --count) {
      EXPECT_FALSE(judge(next, next)) << next;
      if (++next % 1000 == 0) ids.make_room();
    }
  }
};

TEST(ids_on_disk, take_little_memory) {
  many_ids all;
  all.add(100'000);
  EXPECT_EQ(all.ids.size(), 100'000u);
  EXPECT_LT(all.ids.memory(), 200'000u);
  EXPECT_EQ(all.ids.memory(), all.beyond.in_memory());
  EXPECT_GT(all.beyond.on_disk(), 90'000u * sizeof(occurrence));
  EXPECT_LT(all.beyond.on_disk(), 200'000u * sizeof(occurrence));
}

TEST(ids_on_disk, get_there_little_by_little) {
  many_ids all{.memory = 3'000'000};
  const auto all_are_known = [&] {
    const auto size = all.ids.size();
    for (std::int64_t i = 0; i < all.next; i += 10) EXPECT_TRUE(all.judge(i, all.next + i)) << i;
    EXPECT_EQ(all.ids.size(), size + static_cast<std::size_t>(all.next + 9) / 10);
  };
  while (all.on.writes == 0 && all.next < 1'000'000) all.add(1000);
  EXPECT_GT(all.ids.memory(), 3'000'000u);
  all_are_known();
  all.on.is_full = true;
  all.add(1000);
  EXPECT_FALSE(all.on.said.empty());
  all_are_known();
  all.on.is_full = false;
  for (int i = 0; i < 20 && all.ids.memory() > 3'000'000; ++i) all.add(1000);
  EXPECT_LT(all.ids.memory(), 3'000'000u);
  EXPECT_EQ(all.ids.memory(), all.beyond.in_memory());
  all_are_known();
}

TEST(ids_on_disk, are_judged_all_the_same_while_the_disk_is_full) {
  many_ids all;
  all.add(20'000);
  all.on.is_full = true;
  all.add(200'000);
  EXPECT_GT(all.ids.memory(), 1'000'000u);
  EXPECT_EQ(all.on.said,
            std::vector<std::string>{"what the dedups have seen stays in memory, although it is more than it "
                                     "may be: no space is left (make room)"});
  EXPECT_LT(all.on.writes, 1000);
  all.on.is_full = false;
  all.add(100'000);
  EXPECT_LT(all.ids.memory(), 400'000u);
  for (std::int64_t i = 0; i < all.next; i += 10) ASSERT_TRUE(all.judge(i, all.next + i)) << i;
  all.on.is_full = true;
  all.add(20'000);
  EXPECT_EQ(all.on.said.size(), 2u);
}

TEST(ids_on_disk, have_no_verdict_while_it_cannot_be_read_and_the_same_one_later) {
  many_ids all;
  all.add(50'000);
  const auto size = all.ids.size();
  all.on.is_broken = true;
  for (std::int64_t i = 0; i < 40'000; i += 10) EXPECT_THROW(all.judge(i, all.next + i), unanswered) << i;
  EXPECT_EQ(all.ids.size(), size);
  all.on.is_broken = false;
  for (std::int64_t i = 0; i < 40'000; i += 10) EXPECT_TRUE(all.judge(i, all.next + i)) << i;
}

TEST(ids_on_disk, are_inserted_again_after_a_failure) {
  many_ids all;
  all.add(50'000);
  const auto pages = all.ids.take_new();
  seen_ids others{1h, key, &all.beyond};
  others.insert(std::span{pages}.first(30'000));
  others.make_room();
  all.on.is_broken = true;
  EXPECT_THROW(others.insert(pages), unanswered);
  all.on.is_broken = false;
  others.insert(pages);
  EXPECT_EQ(others.size(), pages.size());
}

TEST(ids_on_disk, share_the_memory_that_there_is) {
  disk there;
  auto beyond = there.holding(1'000'000);
  std::vector<seen_ids> all;
  for (int i = 0; i < 10; ++i) all.emplace_back(1h, key, &beyond);
  for (std::int64_t i = 0; i < 200'000; ++i) {
    all[static_cast<std::size_t>(i) % all.size()].judge("id " + std::to_string(i), i, i, i);
    if (i % 10'000 == 0)
      for (auto& each : all) each.make_room();
  }
  std::size_t sum = 0;
  for (auto& each : all) each.make_room(), sum += each.memory();
  EXPECT_EQ(beyond.in_memory(), sum);
  EXPECT_LE(sum, 1'000'000u);
  all.clear();
  EXPECT_EQ(beyond.in_memory(), 0u);
}

}  // namespace
}  // namespace flow
