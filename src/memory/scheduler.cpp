#include "scheduler.hpp"

#include <pthread.h>

#include <algorithm>

namespace flow::memory {

std::uint64_t dice::roll() {
  constexpr std::uint64_t step = 0x9e3779b97f4a7c15;
  std::uint64_t mixed = state_.fetch_add(step, std::memory_order_relaxed) + step;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return mixed ^ (mixed >> 31);
}

std::optional<port::time_point> agenda::next() const {
  if (work_.empty()) return std::nullopt;
  return work_.begin()->first.first;
}

std::function<void()> agenda::take() {
  return std::move(work_.extract(work_.begin()).mapped());
}

event_queue::event_queue(std::uint64_t seed, std::int64_t wall_clock_at_start)
    : wall_clock_at_start_{wall_clock_at_start}, dice_{seed} {}

std::int64_t event_queue::wall_clock() {
  return wall_clock_at_start_ + std::chrono::duration_cast<port::milliseconds>(now_.time_since_epoch()).count();
}

void event_queue::at(port::time_point when, std::function<void()> work) {
  agenda_.add(std::max(now_, when), std::move(work));
}

bool event_queue::run_next() {
  const auto when = agenda_.next();
  if (!when) return false;
  now_ = std::max(now_, *when);
  agenda_.take()();
  return true;
}

void event_queue::advance_to(port::time_point when) {
  while (agenda_.next() && *agenda_.next() <= when) run_next();
  now_ = std::max(now_, when);
}

real_scheduler::real_scheduler(std::uint64_t seed) : dice_{seed}, thread_{[this] { run(); }} {
  pthread_setname_np(thread_.native_handle(), "flow-memory");
}

real_scheduler::~real_scheduler() {
  {
    const std::scoped_lock lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

std::int64_t real_scheduler::wall_clock() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<port::milliseconds>(since_1970).count();
}

void real_scheduler::at(port::time_point when, std::function<void()> work) {
  {
    const std::scoped_lock lock{mutex_};
    agenda_.add(when, std::move(work));
  }
  changed_.notify_one();
}

void real_scheduler::run() {
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    const auto when = agenda_.next();
    if (!when) {
      changed_.wait(lock);
    } else if (now() < *when) {
      changed_.wait_until(lock, *when);
    } else {
      auto work = agenda_.take();
      lock.unlock();
      work();
      work = nullptr;
      lock.lock();
    }
  }
}

}  // namespace flow::memory
