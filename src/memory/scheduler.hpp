#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <flow/ports.hpp>

namespace flow::memory {

using microseconds = std::chrono::microseconds;

/// Where the delayed work of in-memory clusters goes, and the only clock and dice that they know. It outlives every
/// broker and every connection that was given it.
class scheduler {
 public:
  virtual ~scheduler() = default;
  virtual port::time_point now() = 0;
  virtual std::int64_t wall_clock() = 0;  ///< milliseconds since 1970 UTC
  /// Runs `work` once, not before `when`; work that is due at the same time runs in the order in which it was given.
  virtual void at(port::time_point when, std::function<void()> work) = 0;
  void after(microseconds delay, std::function<void()> work) { at(now() + delay, std::move(work)); }
  virtual std::uint64_t random() = 0;
};

/// Numbers that look random and follow from a seed alone (splitmix64). Any thread.
class dice {
 public:
  explicit dice(std::uint64_t seed) : state_{seed} {}
  std::uint64_t roll();

 private:
  std::atomic<std::uint64_t> state_;
};

/// Work in the order of time, one piece after the other.
class agenda {
 public:
  void add(port::time_point when, std::function<void()> work) {
    work_.emplace(std::pair{when, ++added_}, std::move(work));
  }
  std::optional<port::time_point> next() const;
  std::function<void()> take();  ///< the earliest; there must be one

 private:
  std::map<std::pair<port::time_point, std::uint64_t>, std::function<void()>> work_;
  std::uint64_t added_ = 0;
};

/// Simulated time: it stands still but for `run_next` and `advance_to`, and everything follows from the seed. For one
/// thread.
class event_queue : public scheduler {
 public:
  explicit event_queue(std::uint64_t seed, std::int64_t wall_clock_at_start = 1'700'000'000'000);

  port::time_point now() override { return now_; }
  std::int64_t wall_clock() override;
  void at(port::time_point when, std::function<void()> work) override;
  std::uint64_t random() override { return dice_.roll(); }

  /// When the earliest work is due.
  std::optional<port::time_point> next() const { return agenda_.next(); }
  /// Moves to the earliest work and runs it; false if there is none.
  bool run_next();
  /// Runs what is due until `when`, and moves there.
  void advance_to(port::time_point when);
  void advance(microseconds by) { advance_to(now_ + by); }

 private:
  port::time_point now_{};
  std::int64_t wall_clock_at_start_;
  agenda agenda_;
  dice dice_;
};

/// Real time: runs everything on a thread of its own, "flow-memory". What is not due yet when it is destroyed never
/// runs.
class real_scheduler : public scheduler {
 public:
  explicit real_scheduler(std::uint64_t seed = 1);
  ~real_scheduler() override;

  port::time_point now() override { return std::chrono::steady_clock::now(); }
  std::int64_t wall_clock() override;
  void at(port::time_point when, std::function<void()> work) override;
  std::uint64_t random() override { return dice_.roll(); }

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  agenda agenda_;
  bool stopping_ = false;
  dice dice_;
  std::thread thread_;
};

}  // namespace flow::memory
