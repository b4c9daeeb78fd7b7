#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <flow/arena.hpp>
#include <flow/ports.hpp>

#include "client.hpp"

namespace flow::kafka {

/// Reads by librdkafka's simple consumer: consume_start and consume_stop on one common queue, no group.
///
/// Of the two ways to assign partitions one by one, `rd_kafka_incremental_assign` needs a group, looks for its
/// coordinator, and raises a partition's version on the client's own thread, some time after the call has been made.
/// `rd_kafka_consume_stop` raises it in the calling thread before it returns, so whatever is still on its way is
/// outdated by then and the queue drops it.
class kafka_reader : public port::reader {
 public:
  static result<std::unique_ptr<kafka_reader>> open(const context& in, port::reader_options options,
                                                    port::wake readable);
  ~kafka_reader() override;

  void assign(source_id id, const topic_partition& where, std::int64_t offset) override;
  void unassign(source_id id) override;
  bool poll(fetched& into, std::size_t most) override;

 private:
  struct source {
    source_id id = 0;
    topic_partition where;
    rd_kafka_topic_t* topic = nullptr;
    std::int64_t next = 0;  ///< what follows the last record that was taken from the client
    bool started = false;   ///< the client reads it
    bool failed = false;    ///< said so; silent until it is assigned again
    bool at_end = false;    ///< the last thing delivered was its end
  };
  /// One topic as the client knows it. Hangs on the client's topic, so that a message leads to its source.
  struct subject {
    topic_ptr handle;
    std::vector<source*> by_partition;
    port::time_point looked_at = std::chrono::steady_clock::now();
  };
  struct arrival {
    rd_kafka_message_t* message;
    source* from;
  };
  /// The client and what is made from it, for as long as somebody looks at its messages.
  struct connection_parts {
    std::shared_ptr<client> connected;
    std::map<std::string, std::unique_ptr<subject>> subjects;
  };
  struct batch {
    std::shared_ptr<connection_parts> parts;
    std::vector<rd_kafka_message_t*> messages;
    arena headers;

    void give_back();
  };
  /// Batches whose vectors have grown to size, for reuse. Batches come back on whichever thread drops them.
  class batch_pool {
   public:
    std::unique_ptr<batch> take();
    void put(std::unique_ptr<batch> used);

   private:
    std::mutex mutex_;
    std::vector<std::unique_ptr<batch>> free_;
  };

  kafka_reader(port::wake readable, std::size_t most_queued, std::size_t most_bytes, std::size_t batch);
  void use(std::shared_ptr<client> connected);
  void errored(rd_kafka_resp_err_t code, std::string_view text);
  void look_at_growth(subject& topic);
  subject& subject_of(const std::string& topic);
  source* source_of(const rd_kafka_message_t& message) const;
  void start(source& of);
  void stop(source& of);
  void refuse(source& of, failure why);
  void take_arrivals();
  bool arrived(rd_kafka_message_t* message);
  void restart_fetching(std::size_t first_new);
  void deliver(const arrival& what, fetched& into, batch& kept);
  void deliver_record(rd_kafka_message_t* message, source& from, fetched& into, batch& kept);
  void deliver_error(const rd_kafka_message_t& message, source& from, fetched& into);
  std::shared_ptr<batch> fresh_batch();

  const port::wake readable_;
  const std::size_t most_queued_;  ///< messages after which the client stops fetching
  const std::size_t most_bytes_;   ///< bytes after which it does
  const std::size_t batch_;        ///< bytes that are delivered at once
  std::shared_ptr<connection_parts> parts_ = std::make_shared<connection_parts>();
  std::shared_ptr<batch_pool> pool_ = std::make_shared<batch_pool>();
  queue_ptr queue_;
  std::unordered_map<source_id, std::unique_ptr<source>> sources_;
  std::vector<rd_kafka_message_t*> scratch_;
  std::vector<arrival> arrived_;
  std::size_t delivered_ = 0;  ///< how many of `arrived_` have been
  std::vector<source_failure> refused_;
};

}  // namespace flow::kafka
