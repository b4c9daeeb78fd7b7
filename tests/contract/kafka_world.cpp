#include <kafka_fixture.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <utility>

#include "cluster.hpp"
#include "world.hpp"

namespace flow::contract {
namespace {

/// Letters and wakings of every thread; the test's thread opens and answers them.
class post_office : public port::mailbox {
 public:
  void post(std::function<void()> letter) override {
    const std::lock_guard lock{mutex_};
    letters_.push_back(std::move(letter));
    changed_.notify_one();
  }

  void wake() {
    const std::lock_guard lock{mutex_};
    woken_ = true;
    changed_.notify_one();
  }

  /// Waits for something to happen, no longer than until `deadline`, and runs the letters that have come.
  void serve(std::chrono::steady_clock::time_point deadline) {
    std::deque<std::function<void()>> come;
    {
      std::unique_lock lock{mutex_};
      changed_.wait_until(lock, deadline, [&] { return woken_ || !letters_.empty(); });
      woken_ = false;
      come.swap(letters_);
    }
    for (auto& letter : come) letter();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> letters_;
  bool woken_ = false;
};

/// One of the fixture's clusters, `home` unless FLOW_CONTRACT_CLUSTER names another.
class kafka_world : public world {
 public:
  std::unique_ptr<port::cluster> connect(const std::string& client_id) override {
    return kafka::connect({name_, {{"bootstrap.servers", kafka_fixture::bootstrap(name_)}}, client_id}, office_,
                          [](severity, std::string_view) {});
  }

  bool pump_until(const std::function<bool()>& condition, port::milliseconds limit) override {
    // A condition may look at more than letters and wakings, and members are to be polled all the while.
    constexpr std::chrono::milliseconds look_again{20};
    const auto deadline = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
      const auto now = std::chrono::steady_clock::now();
      if (now >= deadline) return false;
      office_->serve(std::min<std::chrono::steady_clock::time_point>(deadline, now + look_again));
    }
    return true;
  }

  port::wake wake() override {
    return [office = office_] { office->wake(); };
  }

  std::string unique(const std::string& stem) override { return kafka_fixture::fresh_name("contract-" + stem); }

  std::int64_t now() const override {
    const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::milliseconds>(since_1970).count();
  }

 private:
  static std::string chosen() {
    const char* name = std::getenv("FLOW_CONTRACT_CLUSTER");
    return name ? name : "home";
  }

  const std::string name_ = chosen();
  std::shared_ptr<post_office> office_ = std::make_shared<post_office>();
};

}  // namespace

std::unique_ptr<world> make_world() {
  return std::make_unique<kafka_world>();
}

}  // namespace flow::contract
