#pragma once

// The least of librdkafka's C interface that owns what it makes and throws what goes wrong. It is the only thing that
// the verifier, the loads and the raw loop share, and it shares nothing with flow.

#include <librdkafka/rdkafka.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace plain {

using namespace std::chrono_literals;

/// What Kafka or the client said, and what may be done about it.
class kafka_error : public std::runtime_error {
 public:
  enum class remedy { none, retry, abort };

  explicit kafka_error(const std::string& text, remedy way_out = remedy::none)
      : std::runtime_error{text}, remedy_{way_out} {}

  remedy way_out() const { return remedy_; }

 private:
  remedy remedy_;
};

struct destroy {
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
  void operator()(rd_kafka_event_t* event) const { rd_kafka_event_destroy(event); }
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
  void operator()(rd_kafka_headers_t* headers) const { rd_kafka_headers_destroy(headers); }
  void operator()(rd_kafka_NewTopic_t* topic) const { rd_kafka_NewTopic_destroy(topic); }
  void operator()(rd_kafka_DeleteRecords_t* records) const { rd_kafka_DeleteRecords_destroy(records); }
  void operator()(rd_kafka_DeleteTopic_t* topic) const { rd_kafka_DeleteTopic_destroy(topic); }
  void operator()(rd_kafka_ConfigResource_t* resource) const { rd_kafka_ConfigResource_destroy(resource); }
  void operator()(rd_kafka_topic_partition_list_t* list) const { rd_kafka_topic_partition_list_destroy(list); }
  void operator()(const rd_kafka_metadata_t* metadata) const { rd_kafka_metadata_destroy(metadata); }
};

template <class Handle>
using owned = std::unique_ptr<Handle, destroy>;

using properties = std::vector<std::pair<std::string, std::string>>;
using clock = std::chrono::steady_clock;

inline int milliseconds_until(clock::time_point when) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(when - clock::now()).count();
  return left > 0 ? static_cast<int>(left) : 0;
}

/// Throws what `error` says, and takes it over; null is success.
inline void check(rd_kafka_error_t* error, std::string_view what) {
  if (!error) return;
  const owned<rd_kafka_error_t> taken{error};
  const auto remedy = rd_kafka_error_is_fatal(error)             ? kafka_error::remedy::none
                      : rd_kafka_error_txn_requires_abort(error) ? kafka_error::remedy::abort
                      : rd_kafka_error_is_retriable(error)       ? kafka_error::remedy::retry
                                                                 : kafka_error::remedy::none;
  throw kafka_error{std::string{what} + ": " + rd_kafka_error_string(error), remedy};
}

inline void check(rd_kafka_resp_err_t error, std::string_view what) {
  if (error) throw kafka_error{std::string{what} + ": " + rd_kafka_err2str(error)};
}

inline owned<rd_kafka_t> make_client(rd_kafka_type_t type, const properties& settings,
                                     void (*delivered)(rd_kafka_t*, const rd_kafka_message_t*, void*) = nullptr,
                                     void* opaque = nullptr) {
  std::array<char, 512> text{};
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  for (const auto& [name, value] : settings)
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text.data(), text.size()) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      throw kafka_error{text.data()};
    }
  if (delivered) rd_kafka_conf_set_dr_msg_cb(conf, delivered);
  rd_kafka_conf_set_opaque(conf, opaque);
  owned<rd_kafka_t> client{rd_kafka_new(type, conf, text.data(), text.size())};
  if (!client) {
    rd_kafka_conf_destroy(conf);
    throw kafka_error{text.data()};
  }
  return client;
}

/// A record to send; the views need to live for the call only. Null keys and values are nullopt.
struct outgoing {
  int32_t partition = RD_KAFKA_PARTITION_UA;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  int64_t timestamp = 0;                  // milliseconds since 1970; 0 is now
  rd_kafka_headers_t* headers = nullptr;  // taken over by a successful send
};

/// A producer. One thread at a time.
class producer {
 public:
  explicit producer(const properties& settings)
      : client_{make_client(RD_KAFKA_PRODUCER, settings, &producer::on_delivery, this)} {}

  producer(const producer&) = delete;

  rd_kafka_t* get() const { return client_.get(); }

  owned<rd_kafka_topic_t> topic(const std::string& name) const {
    owned<rd_kafka_topic_t> handle{rd_kafka_topic_new(get(), name.c_str(), nullptr)};
    if (!handle) check(rd_kafka_last_error(), "topic " + name);
    return handle;
  }

  /// Hands a record to the client; waits while its queue is full.
  void send(rd_kafka_topic_t* topic, const outgoing& record) {
    rd_kafka_resp_err_t error = try_send(topic, record);
    while (error == RD_KAFKA_RESP_ERR__QUEUE_FULL) {
      rd_kafka_poll(get(), 100);
      error = try_send(topic, record);
    }
    check(error, "produce");
  }

  /// Serves delivery reports without waiting.
  void poll() const { rd_kafka_poll(get(), 0); }

  /// Waits until everything sent is acknowledged; throws if it is not, or was not.
  void flush(std::chrono::milliseconds limit) {
    check(rd_kafka_flush(get(), static_cast<int>(limit.count())), "flush");
    check(std::exchange(failed_, RD_KAFKA_RESP_ERR_NO_ERROR), "delivery");
  }

  void init_transactions(std::chrono::milliseconds limit) const {
    check(rd_kafka_init_transactions(get(), static_cast<int>(limit.count())), "init_transactions");
  }
  void begin() const { check(rd_kafka_begin_transaction(get()), "begin_transaction"); }
  void commit() const {
    until_final([&] { check(rd_kafka_commit_transaction(get(), -1), "commit_transaction"); });
  }
  void abort() const {
    until_final([&] { check(rd_kafka_abort_transaction(get(), -1), "abort_transaction"); });
  }

 private:
  /// A commit or abort that could not be finished in time goes on where it was when it is called again.
  template <class Call>
  static void until_final(Call call) {
    for (;;) try {
        return call();
      } catch (const kafka_error& e) {
        if (e.way_out() != kafka_error::remedy::retry) throw;
      }
  }

  // librdkafka takes a null pointer for a null, so that an empty text needs some address; it only reads there.
  static void* bytes(const std::optional<std::string_view>& text) {
    return !text ? nullptr : const_cast<char*>(text->data() ? text->data() : "");
  }

  rd_kafka_resp_err_t try_send(rd_kafka_topic_t* topic, const outgoing& record) const {
    return rd_kafka_producev(get(), RD_KAFKA_VTYPE_RKT, topic,                                                    //
                             RD_KAFKA_VTYPE_PARTITION, record.partition,                                          //
                             RD_KAFKA_VTYPE_MSGFLAGS, RD_KAFKA_MSG_F_COPY,                                        //
                             RD_KAFKA_VTYPE_KEY, bytes(record.key), record.key ? record.key->size() : 0,          //
                             RD_KAFKA_VTYPE_VALUE, bytes(record.value), record.value ? record.value->size() : 0,  //
                             RD_KAFKA_VTYPE_TIMESTAMP, record.timestamp,                                          //
                             RD_KAFKA_VTYPE_HEADERS, record.headers, RD_KAFKA_VTYPE_END);
  }

  static void on_delivery(rd_kafka_t*, const rd_kafka_message_t* message, void* self) {
    // An abort purges what was not sent yet, as it should.
    const bool purged =
        message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
    auto& failed = static_cast<producer*>(self)->failed_;
    if (message->err && !purged && !failed) failed = message->err;
  }

  rd_kafka_resp_err_t failed_ = RD_KAFKA_RESP_ERR_NO_ERROR;
  owned<rd_kafka_t> client_;
};

/// How many partitions a topic has; 0 if it does not exist. Asks for all topics: a question for one may create it.
inline int32_t partition_count(rd_kafka_t* client, const std::string& topic, std::chrono::milliseconds limit = 30s) {
  const rd_kafka_metadata_t* answer = nullptr;
  check(rd_kafka_metadata(client, 1, nullptr, &answer, static_cast<int>(limit.count())), "metadata");
  const std::unique_ptr<const rd_kafka_metadata_t, destroy> taken{answer};
  for (int i = 0; i < answer->topic_cnt; ++i)
    if (topic == answer->topics[i].topic && !answer->topics[i].err) return answer->topics[i].partition_cnt;
  return 0;
}

/// The first offset of a partition, and the one after its last: the high watermark, whatever transactions are open, if
/// the client reads uncommitted.
inline std::pair<int64_t, int64_t> watermarks(rd_kafka_t* client, const std::string& topic, int32_t partition,
                                              std::chrono::milliseconds limit = 30s) {
  int64_t low = 0, high = 0;
  check(
      rd_kafka_query_watermark_offsets(client, topic.c_str(), partition, &low, &high, static_cast<int>(limit.count())),
      "watermarks of " + topic);
  return {low, high};
}

/// A consumer that reads by assignment alone and never commits.
inline owned<rd_kafka_t> make_reader(const std::string& brokers, const std::string& isolation,
                                     const properties& more = {}) {
  properties settings{{"bootstrap.servers", brokers},  {"group.id", "plain"},
                      {"enable.auto.commit", "false"}, {"enable.auto.offset.store", "false"},
                      {"auto.offset.reset", "error"},  {"isolation.level", isolation}};
  settings.insert(settings.end(), more.begin(), more.end());
  owned<rd_kafka_t> client = make_client(RD_KAFKA_CONSUMER, settings);
  check(rd_kafka_poll_set_consumer(client.get()), "poll_set_consumer");
  return client;
}

/// Starts to read partition i of the topic at `from[i]`.
inline void assign(rd_kafka_t* reader, const std::string& topic, const std::vector<int64_t>& from) {
  const owned<rd_kafka_topic_partition_list_t> list{rd_kafka_topic_partition_list_new(static_cast<int>(from.size()))};
  for (std::size_t i = 0; i < from.size(); ++i)
    rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), static_cast<int32_t>(i))->offset = from[i];
  check(rd_kafka_assign(reader, list.get()), "assign");
}

namespace detail {

template <class Request>
void administer(const std::string& brokers, Request request) {
  const owned<rd_kafka_t> client = make_client(RD_KAFKA_PRODUCER, {{"bootstrap.servers", brokers}});
  const owned<rd_kafka_queue_t> answers{rd_kafka_queue_new(client.get())};
  request(client.get(), answers.get());
  const owned<rd_kafka_event_t> event{rd_kafka_queue_poll(answers.get(), 60'000)};
  if (!event) throw kafka_error{"no answer from " + brokers + " within 60 s"};
  check(rd_kafka_event_error(event.get()), brokers);
  std::size_t count = 0;
  const rd_kafka_topic_result_t** results = nullptr;
  if (const auto* created = rd_kafka_event_CreateTopics_result(event.get()))
    results = rd_kafka_CreateTopics_result_topics(created, &count);
  else if (const auto* deleted = rd_kafka_event_DeleteTopics_result(event.get()))
    results = rd_kafka_DeleteTopics_result_topics(deleted, &count);
  for (std::size_t i = 0; i < count; ++i)
    check(rd_kafka_topic_result_error(results[i]), rd_kafka_topic_result_name(results[i]));
  if (const auto* emptied = rd_kafka_event_DeleteRecords_result(event.get())) {
    const auto* partitions = rd_kafka_DeleteRecords_result_offsets(emptied);
    for (int i = 0; i < partitions->cnt; ++i) check(partitions->elems[i].err, partitions->elems[i].topic);
  }
  const rd_kafka_ConfigResource_t** changed = nullptr;
  if (const auto* altered = rd_kafka_event_AlterConfigs_result(event.get()))
    changed = rd_kafka_AlterConfigs_result_resources(altered, &count);
  for (std::size_t i = 0; changed && i < count; ++i)
    check(rd_kafka_ConfigResource_error(changed[i]), rd_kafka_ConfigResource_name(changed[i]));
}

}  // namespace detail

/// Creates a topic with one replica, and throws if it is there already.
inline void create_topic(const std::string& brokers, const std::string& name, int partitions,
                         const properties& settings = {}) {
  std::array<char, 512> text{};
  const owned<rd_kafka_NewTopic_t> topic{rd_kafka_NewTopic_new(name.c_str(), partitions, 1, text.data(), text.size())};
  if (!topic) throw kafka_error{text.data()};
  for (const auto& [key, value] : settings)
    check(rd_kafka_NewTopic_set_config(topic.get(), key.c_str(), value.c_str()), key);
  detail::administer(brokers, [&](rd_kafka_t* client, rd_kafka_queue_t* answers) {
    rd_kafka_NewTopic_t* all[] = {topic.get()};
    rd_kafka_CreateTopics(client, all, 1, nullptr, answers);
  });
}

/// Gives a topic these settings, and the cluster's own in place of all others.
inline void change_topic(const std::string& brokers, const std::string& name, const properties& settings) {
  const owned<rd_kafka_ConfigResource_t> topic{rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str())};
  for (const auto& [key, value] : settings)
    check(rd_kafka_ConfigResource_set_config(topic.get(), key.c_str(), value.c_str()), key);
  detail::administer(brokers, [&](rd_kafka_t* client, rd_kafka_queue_t* answers) {
    rd_kafka_ConfigResource_t* all[] = {topic.get()};
    rd_kafka_AlterConfigs(client, all, 1, nullptr, answers);
  });
}

inline void delete_topic(const std::string& brokers, const std::string& name) {
  const owned<rd_kafka_DeleteTopic_t> topic{rd_kafka_DeleteTopic_new(name.c_str())};
  detail::administer(brokers, [&](rd_kafka_t* client, rd_kafka_queue_t* answers) {
    rd_kafka_DeleteTopic_t* all[] = {topic.get()};
    rd_kafka_DeleteTopics(client, all, 1, nullptr, answers);
  });
}

/// Deletes the records of a partition that lie before an offset.
inline void delete_records(const std::string& brokers, const std::string& topic, int32_t partition, int64_t end) {
  const owned<rd_kafka_topic_partition_list_t> list{rd_kafka_topic_partition_list_new(1)};
  rd_kafka_topic_partition_list_add(list.get(), topic.c_str(), partition)->offset = end;
  const owned<rd_kafka_DeleteRecords_t> records{rd_kafka_DeleteRecords_new(list.get())};
  detail::administer(brokers, [&](rd_kafka_t* client, rd_kafka_queue_t* answers) {
    rd_kafka_DeleteRecords_t* all[] = {records.get()};
    rd_kafka_DeleteRecords(client, all, 1, nullptr, answers);
  });
}

}  // namespace plain
