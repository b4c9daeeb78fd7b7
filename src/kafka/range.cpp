#include "range.hpp"

#include <algorithm>
#include <array>
#include <thread>
#include <utility>

#include "failures.hpp"

namespace flow::kafka {
namespace {

constexpr port::milliseconds first_look{500};

std::optional<std::string> kept(const void* data, std::size_t size) {
  if (!data) return std::nullopt;
  return std::string{static_cast<const char*>(data), size};
}

}  // namespace

range_reading::range_reading(administration& by, topic_partition where, std::int64_t from, std::int64_t to,
                             port::isolation isolated)
    : by_{by}, where_{std::move(where)}, to_{to}, isolated_{isolated} {
  read_.next = from;
}

range_reading::~range_reading() {
  if (!started_) return;
  rd_kafka_consume_stop(topic_.get(), where_.partition);
  by_.being_read().erase({isolated_, where_});
}

std::optional<failure> range_reading::start() {
  auto opened = by_.reading(isolated_);
  if (!opened) return std::move(opened.error());
  client_ = std::move(*opened);
  queue_.reset(rd_kafka_queue_new(client_->get()));
  topic_.reset(rd_kafka_topic_new(client_->get(), where_.topic.c_str(), nullptr));
  const std::string what = to_string(where_) + " on " + by_.cluster();
  if (read_.next < 0)
    return failure{failure_kind::out_of_range, what + ": no offset " + std::to_string(read_.next), {}};
  if (!topic_ || rd_kafka_consume_start_queue(topic_.get(), where_.partition, read_.next, queue_.get()) != 0)
    return failure_of(rd_kafka_last_error(), what);
  by_.being_read().insert({isolated_, where_});
  look_at_ = std::chrono::steady_clock::now() + first_look;
  started_ = true;
  return std::nullopt;
}

/// The client says nothing to who reads a partition that is not there.
std::optional<failure> range_reading::missing() {
  look_at_ = std::chrono::steady_clock::now() + first_look;
  const rd_kafka_metadata_t* got = nullptr;
  if (rd_kafka_metadata(client_->get(), 0, topic_.get(), &got, 2000) != RD_KAFKA_RESP_ERR_NO_ERROR) return std::nullopt;
  const rd_kafka_metadata_topic_t* const topic = got->topic_cnt == 1 ? got->topics : nullptr;
  std::optional<failure> why;
  if (topic && topic->err != RD_KAFKA_RESP_ERR_NO_ERROR && !heals(kind_of(topic->err))) {
    why = failure_of(topic->err, to_string(where_) + " on " + by_.cluster());
  } else if (topic && topic->err == RD_KAFKA_RESP_ERR_NO_ERROR && where_.partition >= topic->partition_cnt) {
    why = failure_of(RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, to_string(where_) + " on " + by_.cluster());
  }
  rd_kafka_metadata_destroy(got);
  return why;
}

std::optional<result<port::range_read>> range_reading::read_on(port::milliseconds patience) {
  if (read_.next >= to_) return std::exchange(read_, {});
  if (!started_) {
    if (by_.being_read().contains({isolated_, where_})) {
      std::this_thread::sleep_for(std::min(patience, port::milliseconds{1}));
      return std::nullopt;
    }
    if (auto why = start()) return tl::unexpected{std::move(*why)};
  }
  std::array<rd_kafka_message_t*, 256> messages{};
  const auto count =
      rd_kafka_consume_batch_queue(queue_.get(), static_cast<int>(patience.count()), messages.data(), messages.size());
  if (count > 0) heard_ = true;
  if (!heard_ && std::chrono::steady_clock::now() > look_at_)
    if (auto why = missing()) return tl::unexpected{std::move(*why)};
  std::optional<result<port::range_read>> answer;
  for (std::size_t i = 0; i < static_cast<std::size_t>(std::max<ssize_t>(count, 0)); ++i) {
    if (!answer) {
      const auto done = take(*messages[i]);
      if (!done) answer = tl::unexpected{done.error()};
      if (done && *done) answer = std::exchange(read_, {});
    }
    rd_kafka_message_destroy(messages[i]);
  }
  return answer;
}

result<bool> range_reading::take(const rd_kafka_message_t& message) {
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    // An end below `to` is an open transaction, or a record yet to be written.
    read_.next = std::max(read_.next, message.offset);
    return read_.next >= to_;
  }
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR)
    return tl::unexpected{
        failure_of(message.err, to_string(where_) + " on " + by_.cluster(), rd_kafka_message_errstr(&message))};
  if (message.offset < read_.next) return false;
  if (message.offset < to_) {
    rd_kafka_timestamp_type_t kind{};
    read_.records.push_back({message.offset, rd_kafka_message_timestamp(&message, &kind),
                             kept(message.key, message.key_len), kept(message.payload, message.len)});
  }
  read_.next = message.offset >= to_ ? message.offset : message.offset + 1;
  return read_.next >= to_;
}

}  // namespace flow::kafka
