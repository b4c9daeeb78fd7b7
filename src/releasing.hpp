#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <stop_token>
#include <string>
#include <utility>

#include "visit.hpp"

#include <flow/dead_letters.hpp>

namespace flow {

/// Tells the lanes of one cluster to release what they have parked, and waits until they have.
class releasing {
 public:
  releasing(visit& by, std::string cluster) : by_{by}, cluster_{std::move(cluster)} {}

  /// Adds what it has come to. `retriable` if nobody is there who would do it, or nothing moves for two minutes, or it
  /// was told to stop: it is done later then.
  result<void> run(std::stop_token stop, letters_replayed& into);

 private:
  using parked = std::map<topic_partition, engine::parking>;

  result<std::uint64_t> count_keys();
  result<bool> have_obeyed(std::int64_t command);
  bool is_stuck(const parked& now);

  visit& by_;
  std::string cluster_;
  parked last_seen_;
  std::chrono::steady_clock::time_point moved_ = std::chrono::steady_clock::now();
};

}  // namespace flow
