#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>

namespace flow::engine {

/// Says when a run has taken long enough. After each record of slow operators the clock is asked, and seldom of fast ones.
class slice {
 public:
  explicit slice(const std::function<std::int64_t()>& clock) : clock_{clock}, begin_{clock()}, asked_{begin_} {}

  bool is_over() {
    if (--unasked_ > 0) return false;
    const auto now = clock_();
    pace_ = now == asked_ ? std::min(2 * pace_, 64) : 1;
    unasked_ = pace_;
    asked_ = now;
    return now - begin_ >= longest;
  }

 private:
  // Milliseconds. What user code needs for a record is not ours to say.
  static constexpr std::int64_t longest = 50;

  const std::function<std::int64_t()>& clock_;
  const std::int64_t begin_;
  std::int64_t asked_;
  int pace_ = 1;
  int unasked_ = 1;
};

}  // namespace flow::engine
