#include "engine/comparison.hpp"

#include <algorithm>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace flow::engine {
namespace {

using kind = difference::kind;
using sequence = std::vector<int>;

engine::digest digest_of(int value) {
  const auto text = std::to_string(value);
  return engine::digest_of(bytes{"k"}, bytes{text}, 1, {});
}

/// Two sides of one partition, which arrive in turns as the dice fall.
struct sides {
  std::vector<sequence> wanted;  // of each source
  sequence found;
  bool begins_late = false, is_cut = false;
  std::size_t due = 1'000'000;  // of each source, from its first on
};

verified_partition compare(const sides& of, std::mt19937& dice) {
  std::vector<wanted_source> sources;
  for (std::size_t i = 0; i < of.wanted.size(); ++i)
    sources.push_back({{"orders", static_cast<std::int32_t>(i)}, of.is_cut});
  comparison now{std::move(sources), {.begins_late = of.begins_late}};
  std::vector<std::size_t> next(of.wanted.size());
  std::size_t found = 0;
  const auto is_over = [&] {
    for (std::size_t i = 0; i < next.size(); ++i)
      if (next[i] <= of.wanted[i].size()) return false;
    return found > of.found.size();
  };
  while (!is_over()) {
    const auto side = dice() % (next.size() + 1);
    for (auto count = dice() % 8; count > 0; --count)
      if (side == next.size()) {
        if (found < of.found.size())
          now.find({.what = digest_of(of.found[found]), .offset = static_cast<std::int64_t>(found)}), ++found;
        else if (found++ == of.found.size())
          now.found_all();
      } else if (next[side] < of.wanted[side].size()) {
        now.expect(side, {.what = digest_of(of.wanted[side][next[side]]),
                          .offset = static_cast<std::int64_t>(next[side]),
                          .is_due = next[side] < of.due});
        ++next[side];
      } else if (next[side]++ == of.wanted[side].size()) {
        now.source_ended(side);
      }
    now.settle();
  }
  EXPECT_TRUE(now.is_settled());
  return now.verdict();
}

sequence numbers(int from, int until) {
  sequence made;
  for (int i = from; i < until; ++i) made.push_back(i);
  return made;
}

/// Whatever arrives first.
class comparing : public testing::TestWithParam<unsigned> {
 protected:
  std::mt19937 dice_{GetParam()};
};

TEST_P(comparing, finds_equal_what_is) {
  const auto length = static_cast<int>(dice_() % 50);
  const auto result = compare({{numbers(0, length)}, numbers(0, length)}, dice_);
  EXPECT_FALSE(result.first);
  EXPECT_EQ(result.found, result.expected);
  EXPECT_EQ(result.found.records, static_cast<std::uint64_t>(length));
}

TEST_P(comparing, finds_equal_what_came_from_several_in_their_orders) {
  sides both{{numbers(0, 30), numbers(100, 140), {}}, {}};
  auto rest = both.wanted;
  while (!rest[0].empty() || !rest[1].empty()) {
    auto& from = rest[dice_() % 2];
    if (from.empty()) continue;
    both.found.push_back(from.front());
    from.erase(from.begin());
  }
  EXPECT_FALSE(compare(both, dice_).first);
  const auto at = dice_() % 69;
  std::swap(both.found[at], both.found[at + 1]);
  const bool of_one = both.found[at] / 100 == both.found[at + 1] / 100;
  EXPECT_EQ(compare(both, dice_).first.has_value(), of_one);
}

TEST_P(comparing, finds_each_difference_at_its_place) {
  const auto all = numbers(0, 40);
  const auto place = static_cast<std::int64_t>(dice_() % 39);
  const auto with = [&](auto spoil) {
    sides both{{all}, all};
    spoil(both.found);
    const auto found = compare(both, dice_).first;
    return found.value_or(difference{.what = kind::unexpected, .offset = -1});
  };
  const auto missing = with([&](sequence& of) { of.erase(of.begin() + place); });
  EXPECT_EQ(missing.what, kind::missing);
  EXPECT_EQ(missing.from_offset, place);
  EXPECT_EQ(missing.offset, place);
  const auto repeated =
      with([&](sequence& of) { of.insert(of.begin() + place + 1, of[static_cast<std::size_t>(place)]); });
  EXPECT_EQ(repeated.what, kind::repeated);
  EXPECT_EQ(repeated.offset, place + 1);
  EXPECT_EQ(repeated.from_offset, place);
  const auto reordered = with(
      [&](sequence& of) { std::swap(of[static_cast<std::size_t>(place)], of[static_cast<std::size_t>(place) + 1]); });
  EXPECT_EQ(reordered.what, kind::reordered);
  EXPECT_EQ(reordered.offset, place);
  EXPECT_EQ(reordered.from_offset, place + 1);
  const auto changed = with([&](sequence& of) { of[static_cast<std::size_t>(place)] = 1000; });
  EXPECT_EQ(changed.what, kind::changed);
  EXPECT_EQ(changed.offset, place);
  EXPECT_EQ(changed.part, "value");
  const auto strange = with([&](sequence& of) { of.insert(of.begin() + place, 1000); });
  EXPECT_EQ(strange.what, kind::unexpected);
  EXPECT_EQ(strange.offset, place);
}

TEST_P(comparing, does_not_blame_retention) {
  const auto first = static_cast<int>(dice_() % 30);
  const auto there = compare({{numbers(0, 30)}, numbers(first, 30), true}, dice_);
  EXPECT_FALSE(there.first);
  EXPECT_EQ(there.gone, static_cast<std::uint64_t>(first));
  const auto at_home = compare({{numbers(first, 30)}, numbers(0, 30), false, true}, dice_);
  EXPECT_FALSE(at_home.first);
  EXPECT_EQ(at_home.gone_at_home, static_cast<std::uint64_t>(first));
  const auto second = static_cast<int>(dice_() % 30);
  const auto both = compare({{numbers(first, 30)}, numbers(second, 30), true, true}, dice_);
  EXPECT_FALSE(both.first);
  EXPECT_EQ(both.gone + both.gone_at_home, static_cast<std::uint64_t>(std::abs(first - second)));
  EXPECT_EQ(compare({{numbers(0, 30)}, {}, true}, dice_).gone, 30u);
}

TEST_P(comparing, does_blame_what_is_behind_it) {
  auto found = numbers(5, 30);
  found.erase(found.begin() + 10);
  EXPECT_TRUE(compare({{numbers(0, 30)}, found, true}, dice_).first);
  EXPECT_TRUE(compare({{numbers(7, 30)}, found, false, true}, dice_).first);
}

TEST_P(comparing, counts_what_is_yet_to_come) {
  const auto written = 10 + dice_() % 20;
  const auto result = compare({{numbers(0, 30)}, numbers(0, static_cast<int>(written)), false, false, 10}, dice_);
  EXPECT_FALSE(result.first);
  EXPECT_EQ(result.behind, 30 - written);
  EXPECT_TRUE(compare({{numbers(0, 30)}, numbers(0, 9), false, false, 10}, dice_).first);
}

INSTANTIATE_TEST_SUITE_P(dice, comparing, testing::Range(0u, 40u));

}  // namespace
}  // namespace flow::engine
