#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace flow::kafka {

/// Carries out questions to a cluster on a thread of its own, a step of each in turn, so that one that waits does not
/// hold up the others. The thread starts with the first of them.
class requests {
 public:
  /// Does a part of the work, waiting for at most about `patience`; true when all is done and answered.
  using step = std::function<bool(std::chrono::milliseconds patience)>;

  explicit requests(std::string thread_name) : thread_name_{std::move(thread_name)} {}
  /// Waits for the step that is under way.
  ~requests();
  /// False if too many are under way already.
  bool add(step work);

 private:
  void run();
  void take_new(std::vector<step>& active);

  const std::string thread_name_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<step> waiting_;
  std::size_t active_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace flow::kafka
