#pragma once

#include <chrono>
#include <csignal>
#include <ctime>
#include <stdexcept>

namespace plain {

/// SIGTERM and SIGINT as something to wait for. To be made first in `main`: threads started later inherit the blocked
/// signals, so that only this object ever receives them.
class stop_signal {
 public:
  using clock = std::chrono::steady_clock;

  stop_signal() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGTERM);
    sigaddset(&signals_, SIGINT);
    if (pthread_sigmask(SIG_BLOCK, &signals_, nullptr) != 0) throw std::runtime_error{"cannot block signals"};
  }

  /// Whether the process was asked to stop; answers at `until`, or earlier if it is.
  bool wait_until(clock::time_point until) {
    while (!asked_) {
      const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(until - clock::now()).count();
      const timespec limit{left > 0 ? left / 1'000'000'000 : 0, left > 0 ? left % 1'000'000'000 : 0};
      asked_ = sigtimedwait(&signals_, nullptr, &limit) > 0;
      if (left <= 0) break;
    }
    return asked_;
  }

  bool asked() { return wait_until(clock::now()); }

 private:
  sigset_t signals_{};
  bool asked_ = false;
};

}  // namespace plain
