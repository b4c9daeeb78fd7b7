#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "loop.hpp"

namespace flow::engine {

/// How much may be taken per second: what has been is waited for as long as it would be on its way over a line of that
/// width. A tenth of a second's worth goes at once, so that not every record has to be waited for.
class allowance {
 public:
  explicit allowance(const loop& on) : on_{on} {}

  /// nullopt: as much as there is. What was taken before counts no more.
  void set(std::optional<std::uint64_t> bytes_per_second) {
    rate_ = bytes_per_second;
    free_ = until_ = {};
  }
  void take(std::size_t bytes) {
    if (!rate_) return;
    const std::chrono::duration<double> takes{static_cast<double>(bytes) / static_cast<double>(*rate_)};
    free_ = std::max(free_, on_.now()) + std::chrono::duration_cast<duration>(takes);
    if (free_ > on_.now() + at_once) until_ = free_;
  }
  bool used_up() const { return on_.now() < until_; }
  /// When it is not any more.
  time_point next() const { return used_up() ? until_ : time_point::max(); }
  const std::optional<std::uint64_t>& bytes_per_second() const { return rate_; }

 private:
  static constexpr auto at_once = std::chrono::milliseconds{100};

  const loop& on_;
  std::optional<std::uint64_t> rate_;
  time_point free_{}, until_{};
};

}  // namespace flow::engine
