#include "requests.hpp"

#include <utility>

#include "client.hpp"

namespace flow::kafka {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_at_once = 4096;
constexpr auto alone = 10ms;  ///< patience of a step when nothing else is to be done
constexpr auto among_others = 1ms;

}  // namespace

requests::~requests() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

bool requests::add(step work) {
  const std::lock_guard lock{mutex_};
  if (waiting_.size() + active_ >= most_at_once) return false;
  waiting_.push_back(std::move(work));
  if (!thread_.joinable()) thread_ = std::thread{[this] { run(); }};
  changed_.notify_one();
  return true;
}

void requests::take_new(std::vector<step>& active) {
  std::unique_lock lock{mutex_};
  active_ = active.size();
  if (active.empty()) changed_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
  if (stopping_) return active.clear();
  for (step& each : waiting_) active.push_back(std::move(each));
  waiting_.clear();
  active_ = active.size();
}

void requests::run() {
  name_this_thread(thread_name_);
  std::vector<step> active;
  for (take_new(active); !active.empty(); take_new(active)) {
    const auto patience = active.size() == 1 ? alone : among_others;
    std::erase_if(active, [&](step& each) { return each(patience); });
  }
}

}  // namespace flow::kafka
