#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>

namespace flow {

/// Waits until something is true, looking now and then; false if it was told to stop.
inline bool wait_for(std::stop_token stop, const std::function<bool()>& holds) {
  constexpr auto look_every = std::chrono::milliseconds{250};
  std::mutex mutex;
  std::condition_variable_any changed;
  while (!holds()) {
    std::unique_lock lock{mutex};
    changed.wait_for(lock, stop, look_every, [] { return false; });
    if (stop.stop_requested()) return false;
  }
  return true;
}

}  // namespace flow
