#pragma once

#include <optional>

#include "administration.hpp"

namespace flow::kafka {

/// Reads [from, to) of one partition, a part at a time. One thread.
class range_reading {
 public:
  range_reading(administration& by, topic_partition where, std::int64_t from, std::int64_t to,
                port::isolation isolated);
  range_reading(const range_reading&) = delete;
  range_reading& operator=(const range_reading&) = delete;
  ~range_reading();

  /// Goes on for at most `patience`; a value once reading has passed the end, or cannot.
  std::optional<result<port::range_read>> read_on(port::milliseconds patience);

 private:
  std::optional<failure> start();
  std::optional<failure> missing();
  /// True when there is nothing more to wait for.
  result<bool> take(const rd_kafka_message_t& message);

  administration& by_;
  const topic_partition where_;
  const std::int64_t to_;
  const port::isolation isolated_;
  std::shared_ptr<client> client_;
  queue_ptr queue_;
  topic_ptr topic_;
  bool started_ = false;
  bool heard_ = false;  ///< something has come, so the partition is there
  port::time_point look_at_{};
  port::range_read read_;
};

}  // namespace flow::kafka
