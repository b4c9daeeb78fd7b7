#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/worker.hpp"

namespace flow {

/// Where a worker's letters wait, and where the worker does.
class letter_box final : public port::mailbox {
 public:
  void post(std::function<void()> letter) override;
  /// Something else is to be done.
  void ring();
  /// Opens every letter that has come. On the worker's thread.
  void open_all();
  /// Until a letter comes, somebody rings, or it is `deadline`.
  void wait_until(port::time_point deadline);

 private:
  std::mutex mutex_;
  std::condition_variable something_;
  std::vector<std::function<void()>> letters_;
  std::vector<std::function<void()>> opened_;
  bool rung_ = false;
};

/// One worker of an app: a thread that runs an engine.
class worker_thread {
 public:
  /// `told` gets the worker's status whenever it was looked at; the last time with `over`.
  using listener = std::function<void(const worker_status&, const std::optional<failure>& ended, bool over)>;

  /// Whoever sets one of these rings the worker's letter box.
  struct orders {
    std::atomic<bool> stop{false};     ///< finish what is under way, then end
    std::atomic<bool> abandon{false};  ///< end at once
  };

  worker_thread(std::string name, std::shared_ptr<letter_box> box, const orders& given,
                std::unique_ptr<engine::worker> engine, log_sink log, listener told);
  ~worker_thread();

 private:
  void run(const std::string& name);
  void complain_of_slow_operators(const std::string& name, std::chrono::steady_clock::duration of_a_turn);

  std::shared_ptr<letter_box> box_;
  const orders& orders_;
  std::unique_ptr<engine::worker> engine_;
  log_sink log_;
  listener told_;
  port::time_point complain_again_{};
  std::thread thread_;
};

}  // namespace flow
