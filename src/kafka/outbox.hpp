#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <flow/ports.hpp>

#include "client.hpp"

namespace flow::kafka {

/// The blocking half of a producer: one handle at a time, used by the producer's own thread only.
class outbox {
 public:
  /// `dropped` says that what is under way need not be finished.
  outbox(const context& in, port::producer_options options, std::function<bool()> dropped);
  ~outbox();

  /// No more than so many bytes go to a partition at once, or a record.
  result<void> init(std::size_t largest_batch);
  void begin();
  void send(const outgoing& batch, const std::vector<std::string>& topics);
  result<void> send_offsets(const std::vector<port::group_offset>& offsets, const port::membership& as);
  result<port::committed> commit();
  result<int> abort();
  result<port::committed> flush();
  /// The first thing that goes wrong, or the worst, is the answer of the commit or flush to come.
  void spoil(failure why);
  /// Takes in what has been delivered meanwhile.
  void serve();

 private:
  using clock = std::chrono::steady_clock;

  bool transactional() const { return !options_.transactional_id.empty(); }
  result<void> open();
  bool ready();
  std::string doing(std::string_view what) const;
  failure troubled(rd_kafka_error_t* error, std::string_view what) const;
  bool has_grown(rd_kafka_topic_t* topic, std::int32_t partition);
  void send_one(const outgoing_record& record, const std::vector<std::string>& topics);
  rd_kafka_topic_t* topic_of(topic_id id, const std::vector<std::string>& topics);
  void* slot_for(const outgoing_record& record);
  void delivered(const rd_kafka_message_t& message);
  result<void> wait_for_deliveries();
  port::committed answered(int end_requests);
  /// Asks again, as the client wants it, until it succeeds, fails for good, or `limit` is over.
  template <typename Call>
  result<void> persist(std::string_view what, port::milliseconds limit, Call call);

  const context in_;
  const port::producer_options options_;
  const std::function<bool()> dropped_;
  std::size_t largest_batch_ = std::numeric_limits<std::size_t>::max();
  std::shared_ptr<client> client_;
  std::vector<topic_ptr> topics_;
  std::vector<std::int64_t> offsets_;  ///< of the records that want to know theirs
  std::optional<failure> trouble_;
  bool gap_ = false;  ///< a record of this handle was not stored
  bool stored_some_ = false;              ///< of what is under way
  bool dropped_some_ = false;
  std::set<topic_partition> not_stored_;  ///< partitions that took none of it in time
};

}  // namespace flow::kafka
