#pragma once

#include <algorithm>
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

}  // namespace flow
