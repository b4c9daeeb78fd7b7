#pragma once

#include <coroutine>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <flow/ports.hpp>

/// The engine's way of waiting: coroutines that are resumed by answers, signals and time, all on the worker's thread.
/// The protocol reads from top to bottom, and what resumes is decided by nothing but the order of events.
namespace flow::engine {

using port::time_point;
using duration = port::time_point::duration;

/// A coroutine that runs when it is awaited, and is destroyed, with everything it waits for, when its task is.
template <typename T>
class [[nodiscard]] task;

namespace detail {

struct promise_base {
  std::coroutine_handle<> parent = std::noop_coroutine();

  std::suspend_always initial_suspend() noexcept { return {}; }
  auto final_suspend() noexcept {
    struct to_parent {
      bool await_ready() noexcept { return false; }
      std::coroutine_handle<> await_suspend(std::coroutine_handle<>) noexcept { return parent; }
      void await_resume() noexcept {}
      std::coroutine_handle<> parent;
    };
    return to_parent{parent};
  }
  // The engine reports by values; an exception here is a bug of ours.
  void unhandled_exception() noexcept { std::terminate(); }
};

}  // namespace detail

template <typename T>
class task {
 public:
  struct promise_type : detail::promise_base {
    std::optional<T> value;
    task get_return_object() { return task{std::coroutine_handle<promise_type>::from_promise(*this)}; }
    template <typename U>
    void return_value(U&& result) {
      value.emplace(std::forward<U>(result));
    }
  };

  task(task&& other) noexcept : handle_{std::exchange(other.handle_, nullptr)} {}
  task& operator=(task&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    handle_.promise().parent = parent;
    return handle_;
  }
  T await_resume() { return std::move(*handle_.promise().value); }

 private:
  explicit task(std::coroutine_handle<promise_type> handle) : handle_{handle} {}
  std::coroutine_handle<promise_type> handle_;
};

template <>
class task<void> {
 public:
  struct promise_type : detail::promise_base {
    task get_return_object() { return task{std::coroutine_handle<promise_type>::from_promise(*this)}; }
    void return_void() {}
  };

  task() = default;
  task(task&& other) noexcept : handle_{std::exchange(other.handle_, nullptr)} {}
  task& operator=(task&& other) noexcept {
    task old{std::exchange(handle_, std::exchange(other.handle_, nullptr))};
    return *this;
  }
  ~task() {
    if (handle_) handle_.destroy();
  }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> parent) noexcept {
    handle_.promise().parent = parent;
    return handle_;
  }
  void await_resume() {}

  /// Runs a task that nobody awaits up to its first wait.
  void start() { handle_.resume(); }
  /// Nothing is left to run.
  bool done() const { return !handle_ || handle_.done(); }

 private:
  explicit task(std::coroutine_handle<promise_type> handle) : handle_{handle} {}
  std::coroutine_handle<promise_type> handle_;
};

/// What is ready to go on, and what waits for time.
class loop {
 public:
  /// A coroutine that waits; whatever it waits for may hold one, and the first to fire wins.
  struct waiting {
    std::coroutine_handle<> coroutine;
    bool fired = false;
  };
  using waiting_ptr = std::shared_ptr<waiting>;

  time_point now() const { return now_; }

  void fire(const waiting_ptr& who) {
    if (!who->fired) {
      who->fired = true;
      ready_.push_back(who);
    }
  }
  void fire_at(time_point when, waiting_ptr who) { timers_.emplace(when, std::move(who)); }

  /// Resumes everything that is due at `now` or ready, and what becomes ready by that.
  void run(time_point now) {
    now_ = now;
    while (!timers_.empty() && timers_.begin()->first <= now) {
      fire(timers_.begin()->second);
      timers_.erase(timers_.begin());
    }
    while (!ready_.empty()) {
      const waiting_ptr next = std::move(ready_.front());
      ready_.pop_front();
      if (next->coroutine) next->coroutine.resume();
    }
  }

  /// When `run` has something to do at the latest, unless an answer comes first.
  time_point next() {
    while (!timers_.empty() && (timers_.begin()->second->fired || !timers_.begin()->second->coroutine))
      timers_.erase(timers_.begin());
    return timers_.empty() ? time_point::max() : timers_.begin()->first;
  }

  auto sleep(duration how_long);

 private:
  time_point now_{};
  std::deque<waiting_ptr> ready_;
  std::multimap<time_point, waiting_ptr> timers_;
};

namespace detail {

/// Forgets the coroutine when its frame goes away, whoever still holds on to the wait.
class wait_base {
 public:
  wait_base() = default;
  wait_base(const wait_base&) = delete;
  wait_base& operator=(const wait_base&) = delete;
  ~wait_base() {
    if (waiting_) waiting_->coroutine = nullptr;
  }
  bool await_ready() const noexcept { return false; }

 protected:
  const loop::waiting_ptr& suspend(std::coroutine_handle<> coroutine) {
    waiting_ = std::make_shared<loop::waiting>(loop::waiting{coroutine});
    return waiting_;
  }
  loop::waiting_ptr waiting_;
};

}  // namespace detail

inline auto loop::sleep(duration how_long) {
  struct wait : detail::wait_base {
    wait(loop& on, time_point when) : on_{on}, when_{when} {}
    void await_suspend(std::coroutine_handle<> coroutine) { on_.fire_at(when_, suspend(coroutine)); }
    void await_resume() {}
    loop& on_;
    time_point when_;
  };
  return wait{*this, now_ + how_long};
}

/// Something has changed: whoever waits looks again.
class signal {
 public:
  explicit signal(loop& on) : on_{on} {}

  void notify() {
    for (const auto& who : std::exchange(waiting_, {})) on_.fire(who);
  }

  /// Until the next `notify`, or until `deadline`; the caller looks at what it is waiting for itself.
  auto wait_until(time_point deadline) {
    struct wait : detail::wait_base {
      wait(signal& what, time_point deadline) : what_{what}, deadline_{deadline} {}
      void await_suspend(std::coroutine_handle<> coroutine) {
        what_.waiting_.push_back(suspend(coroutine));
        if (deadline_ != time_point::max()) what_.on_.fire_at(deadline_, waiting_);
      }
      void await_resume() {}
      signal& what_;
      time_point deadline_;
    };
    std::erase_if(waiting_, [](const auto& who) { return who->fired || !who->coroutine; });
    return wait{*this, deadline};
  }
  auto wait() { return wait_until(time_point::max()); }

 private:
  loop& on_;
  std::vector<loop::waiting_ptr> waiting_;
};

/// `co_await answer<T>(loop, [&](port::reply<T> done) { ask(done); })`: asks a port, and goes on with its answer.
template <typename T, typename Ask>
auto answer(loop& on, Ask ask) {
  struct wait : detail::wait_base {
    wait(loop& on, Ask ask) : on_{on}, ask_{std::move(ask)} {}
    void await_suspend(std::coroutine_handle<> coroutine) {
      ask_([&on = on_, who = suspend(coroutine), given = given_](result<T> answer) {
        given->emplace(std::move(answer));
        on.fire(who);
      });
    }
    result<T> await_resume() { return std::move(**given_); }
    loop& on_;
    Ask ask_;
    std::shared_ptr<std::optional<result<T>>> given_ = std::make_shared<std::optional<result<T>>>();
  };
  return wait{on, std::move(ask)};
}

/// Asks `count` questions at once and goes on when all are answered: `ask(index, done)`.
template <typename T, typename Ask>
auto gather(loop& on, std::size_t count, Ask ask) {
  struct answers {
    std::vector<std::optional<result<T>>> given;
    std::size_t missing = 0;
  };
  struct wait : detail::wait_base {
    wait(loop& on, std::size_t count, Ask ask) : on_{on}, ask_{std::move(ask)} {
      all_->given.resize(count);
      all_->missing = count;
    }
    bool await_ready() const noexcept { return all_->missing == 0; }
    void await_suspend(std::coroutine_handle<> coroutine) {
      const auto who = suspend(coroutine);
      const auto all = all_;
      for (std::size_t i = 0; i < all->given.size(); ++i)
        ask_(i, [&on = on_, who, all, i](result<T> answer) {
          all->given[i].emplace(std::move(answer));
          if (--all->missing == 0) on.fire(who);
        });
    }
    std::vector<result<T>> await_resume() {
      std::vector<result<T>> answered;
      for (auto& each : all_->given) answered.push_back(std::move(*each));
      return answered;
    }
    loop& on_;
    Ask ask_;
    std::shared_ptr<answers> all_ = std::make_shared<answers>();
  };
  return wait{on, count, std::move(ask)};
}

/// A process that ends at this point never comes back from it.
struct crash_point {
  bool goes_on;
  bool await_ready() const noexcept { return goes_on; }
  void await_suspend(std::coroutine_handle<>) const noexcept {}
  void await_resume() const noexcept {}
};

/// How long to wait before the next try: doubles from `first` up to `most`, and starts anew after a success.
class backoff {
 public:
  explicit backoff(duration first = std::chrono::milliseconds{100}, duration most = std::chrono::seconds{10})
      : first_{first}, most_{most}, next_{first} {}

  duration operator()() { return std::exchange(next_, next_ * 2 < most_ ? next_ * 2 : most_); }
  void reset() { next_ = first_; }

 private:
  duration first_, most_, next_;
};

}  // namespace flow::engine
