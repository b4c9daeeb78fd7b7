#include "worker_thread.hpp"

#include <pthread.h>

#include <algorithm>
#include <utility>

namespace flow {
namespace {

using namespace std::chrono_literals;

// A turn at least this often keeps the worker a member of its groups, and its status fresh.
constexpr auto longest_wait = 200ms;

// A turn ends after this, however much there is to do, unless one record takes longer.
constexpr auto slow_turn = 2s;
constexpr auto complain_every = 60s;

}  // namespace

void letter_box::post(std::function<void()> letter) {
  {
    const std::lock_guard lock{mutex_};
    letters_.push_back(std::move(letter));
  }
  something_.notify_one();
}

void letter_box::ring() {
  {
    const std::lock_guard lock{mutex_};
    if (std::exchange(rung_, true)) return;
  }
  something_.notify_one();
}

void letter_box::open_all() {
  {
    const std::lock_guard lock{mutex_};
    rung_ = false;
    opened_.swap(letters_);
  }
  for (const auto& letter : opened_) letter();
  opened_.clear();
}

void letter_box::wait_until(port::time_point deadline) {
  std::unique_lock lock{mutex_};
  something_.wait_until(lock, deadline, [&] { return rung_ || !letters_.empty(); });
}

worker_thread::worker_thread(std::string name, std::shared_ptr<letter_box> box, const orders& given,
                             std::unique_ptr<engine::worker> engine, log_sink log, listener told)
    : box_{std::move(box)},
      orders_{given},
      engine_{std::move(engine)},
      log_{std::move(log)},
      told_{std::move(told)},
      thread_{[this, name = std::move(name)] { run(name); }} {}

worker_thread::~worker_thread() { thread_.join(); }

void worker_thread::complain_of_slow_operators(const std::string& name, std::chrono::steady_clock::duration of_a_turn) {
  const auto now = std::chrono::steady_clock::now();
  if (of_a_turn < slow_turn || now < complain_again_) return;
  complain_again_ = now + complain_every;
  log_(severity::warn,
       name + ": an operator took " + std::to_string(std::chrono::duration_cast<std::chrono::seconds>(of_a_turn).count()) +
           " s over a record, and nothing of this worker could be committed meanwhile (let an ordered_sink do what is slow)");
}

void worker_thread::run(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
  bool told_to_stop = false;
  auto look_again = port::time_point{};
  while (!orders_.abandon) {
    box_->open_all();
    if (orders_.stop && !std::exchange(told_to_stop, true)) {
      engine_->stop();
      told_(engine_->status(), std::nullopt, false);
    }
    const auto now = std::chrono::steady_clock::now();
    const auto next = engine_->turn(now);
    complain_of_slow_operators(name, std::chrono::steady_clock::now() - now);
    if (engine_->stopped() || engine_->ended()) break;
    if (now >= look_again) {
      told_(engine_->status(), std::nullopt, false);
      look_again = now + longest_wait;
    }
    if (next > now) box_->wait_until(std::min(next, now + longest_wait));
  }
  const auto last = engine_->status();
  auto ended = engine_->ended();
  // Who was told to stop meanwhile has nothing left that another could take.
  if (ended && ended->kind == failure_kind::fenced_member && orders_.stop) ended.reset();
  engine_.reset();
  told_(last, ended, true);
}

}  // namespace flow
