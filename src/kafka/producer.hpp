#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <flow/ports.hpp>

#include "letters.hpp"
#include "outbox.hpp"

namespace flow::kafka {

/// Hands everything to a thread of its own, in order, since librdkafka's transactional calls block.
class kafka_producer : public port::producer {
 public:
  kafka_producer(const context& in, std::shared_ptr<port::mailbox> mailbox, port::producer_options options);
  /// Waits for the call that is under way; those that wait are dropped.
  ~kafka_producer() override;

  void init(port::reply<void> done) override;
  void limit_batches(std::size_t bytes) override { largest_batch_ = bytes; }
  topic_id topic(std::string_view name) override;
  void begin() override;
  void send(outgoing batch) override;
  void send_offsets(std::vector<port::group_offset> offsets, const port::membership& as,
                    port::reply<void> done) override;
  void commit(port::reply<port::committed> done) override;
  void abort(port::reply<int> done) override;
  void flush(port::reply<port::committed> done) override;

 private:
  /// Something to do for the outbox, or to say that it was not done.
  struct request {
    std::uint64_t era = 0;
    std::size_t size = 0;
    std::function<void(outbox&)> run;
    std::function<void()> drop;
  };

  void ask(std::function<void(outbox&)> run, std::function<void()> drop = {}, std::size_t size = 0);
  template <typename T, typename Ask>
  void ask_for(port::reply<T> done, Ask ask);
  void run();
  bool dropped() const { return stopping_ || era_of_current_ != era_; }

  const std::string thread_name_;
  letters replies_;
  std::size_t largest_batch_ = std::numeric_limits<std::size_t>::max();
  std::shared_ptr<const std::vector<std::string>> topics_ = std::make_shared<const std::vector<std::string>>();
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<request> waiting_;
  std::size_t waiting_size_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> era_ = 0;  ///< counts `init`: what was asked for in an earlier one is dropped
  std::atomic<std::uint64_t> era_of_current_ = 0;
  outbox outbox_;
  std::thread thread_;
};

}  // namespace flow::kafka
