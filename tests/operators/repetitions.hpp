#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include <flow/seen_ids.hpp>

namespace flow {

inline const std::string key(192, 'x');

struct seen {
  std::string id;
  std::int64_t offset, timestamp;
};

/// The rule, word by word.
inline bool is_duplicate(const std::vector<seen>& before, const seen& what, std::int64_t window, std::int64_t now) {
  return std::ranges::any_of(before, [&](const seen& each) {
    const bool forgotten = now != stream_clock::unset && each.timestamp < now - window;
    return each.id == what.id && each.offset < what.offset && std::abs(each.timestamp - what.timestamp) <= window &&
           !forgotten;
  });
}

/// Records as they may come: mostly in order of time, some late, some with an absurd clock, few ids or many.
inline std::vector<seen> some_records(std::mt19937_64& dice, std::size_t count, std::int64_t window) {
  std::vector<seen> made;
  const auto ids = 1 + dice() % 200;
  std::int64_t time = 1'000'000;
  for (std::size_t i = 0; i < count; ++i) {
    time += static_cast<std::int64_t>(dice() % 5);
    auto timestamp = time;
    if (dice() % 4 == 0) timestamp -= static_cast<std::int64_t>(dice() % static_cast<std::uint64_t>(2 * window));
    if (dice() % 50 == 0) timestamp += static_cast<std::int64_t>(dice() % 1'000'000);
    if (dice() % 200 == 0) timestamp = static_cast<std::int64_t>(dice() >> 1);
    if (dice() % 200 == 0) timestamp = -1;
    made.push_back(
        {"id " + std::to_string(dice() % ids), static_cast<std::int64_t>(i * (1 + dice() % 2) + i), timestamp});
  }
  std::ranges::sort(made, {}, &seen::offset);
  const auto [last, end] = std::ranges::unique(made, {}, &seen::offset);
  made.erase(last, end);
  return made;
}

/// `after_each` gets the time before which nothing is needed any more.
void judge_as_the_rule_says(seen_ids& ids, const std::vector<seen>& records, auto after_each) {
  const auto window = ids.window().count();
  stream_clock clock;
  std::vector<seen> before;
  for (const auto& each : records) {
    ASSERT_EQ(ids.judge(each.id, each.offset, each.timestamp, clock.now()),
              is_duplicate(before, each, window, clock.now()))
        << "offset " << each.offset;
    clock.see(each.timestamp, ids.window());
    before.push_back(each);
    after_each(clock.now() == stream_clock::unset ? clock.now() : clock.now() - window);
  }
}

}  // namespace flow
