#include "destinations.hpp"

#include <pthread.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

namespace flow {
namespace {

/// Calls user code: on one thread more whenever all are busy, up to a bound.
class called_destination final : public destination {
 public:
  explicit called_destination(const sink_spec& sink) : sink_{sink} {}

  ~called_destination() override {
    {
      const std::lock_guard lock{mutex_};
      stopping_ = true;
    }
    something_.notify_all();
    for (auto& each : threads_) each.join();
  }

  void deliver(std::span<const delivery> batch, report done) override {
    const std::lock_guard lock{mutex_};
    waiting_.push_back({batch, std::move(done)});
    something_.notify_one();
    if (waiting_.size() <= idle_ || threads_.size() == static_cast<std::size_t>(sink_.to.how.in_flight)) return;
    try {
      threads_.emplace_back([this] { run(); });
      ++idle_;
    } catch (const std::system_error& none) {
      if (!threads_.empty()) return;
      waiting_.back().done(receipts_of_all(batch.size(), receipt::retriable(none.what())));
      waiting_.pop_back();
    }
  }

 private:
  struct call {
    std::span<const delivery> batch;
    report done;
  };

  void run() {
    pthread_setname_np(pthread_self(), ("flow-" + sink_.name).substr(0, 15).c_str());
    std::unique_lock lock{mutex_};
    for (;;) {
      something_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
      if (stopping_) return;
      const auto next = std::move(waiting_.front());
      waiting_.pop_front();
      --idle_;
      lock.unlock();
      next.done(sink_.to.call(next.batch));
      lock.lock();
      ++idle_;
    }
  }

  const sink_spec& sink_;
  std::mutex mutex_;
  std::condition_variable something_;
  std::deque<call> waiting_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

class posted_destination final : public destination {
 public:
  posted_destination(std::unique_ptr<destination> to, std::shared_ptr<port::mailbox> mailbox)
      : mailbox_{std::move(mailbox)}, to_{std::move(to)} {}

  void deliver(std::span<const delivery> batch, report done) override {
    const report posted = [mailbox = mailbox_, alive = std::weak_ptr{alive_}, done = std::move(done)](auto how) {
      mailbox->post([alive, done, how = std::move(how)] {
        if (!alive.expired()) done(how);
      });
    };
    try {
      to_->deliver(batch, posted);
    } catch (...) {
      posted(receipts_of_all(batch.size(), receipt_of_exception()));
    }
  }

 private:
  std::shared_ptr<port::mailbox> mailbox_;
  std::shared_ptr<const char> alive_ = std::make_shared<const char>();
  std::unique_ptr<destination> to_;
};

}  // namespace

std::unique_ptr<destination> open_destination(const sink_spec& sink, std::shared_ptr<port::mailbox> mailbox) {
  auto opened = sink.to.call ? std::make_unique<called_destination>(sink) : sink.to.open(sink.to.how);
  return std::make_unique<posted_destination>(std::move(opened), std::move(mailbox));
}

}  // namespace flow
