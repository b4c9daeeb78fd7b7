#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>

#include "administration.hpp"

namespace flow::kafka {

using admin_options_ptr = std::unique_ptr<rd_kafka_AdminOptions_t, destroys<rd_kafka_AdminOptions_destroy>>;

/// A call of librdkafka's admin interface: sent at once, its answer comes by itself. Whoever has waited for it long
/// enough drops it; the client goes on with it all the same.
class admin_call {
 public:
  /// `send` passes the request on with these options and this queue.
  using sending = std::function<void(rd_kafka_t*, const rd_kafka_AdminOptions_t*, rd_kafka_queue_t*)>;
  admin_call(std::shared_ptr<client> by, rd_kafka_admin_op_t what, const sending& send, bool stable = false);
  admin_call(admin_call&&) = default;
  ~admin_call();
  /// Its answer, or null if that does not come within `patience`.
  event_ptr poll(port::milliseconds patience);

 private:
  std::shared_ptr<client> by_;
  queue_ptr answers_;
  std::chrono::steady_clock::time_point look_at_;
  bool answered_ = false;
};

admin_call describe_topics_call(std::shared_ptr<client> by, const std::vector<std::string>& names);
/// Puts the settings where they belong; topics that the cluster no longer has are taken out.
result<void> read_settings(rd_kafka_event_t* answer, std::vector<port::topic_description>& into,
                           const std::string& cluster);

admin_call create_topics_call(std::shared_ptr<client> by, const std::vector<port::new_topic>& topics);
result<void> read_created(rd_kafka_event_t* answer, const std::string& cluster);

admin_call add_partitions_call(std::shared_ptr<client> by, const std::string& topic, std::int32_t total);
result<void> read_grown(rd_kafka_event_t* answer, const std::string& cluster);

admin_call delete_records_call(std::shared_ptr<client> by, const std::map<topic_partition, std::int64_t>& below);
result<void> read_deleted(rd_kafka_event_t* answer, const std::string& cluster);

/// What a topic is set to itself, from an answer to `describe_topics_call`; what its cluster says is left out.
result<std::map<std::string, std::string>> read_own_settings(rd_kafka_event_t* answer, const std::string& topic,
                                                             const std::string& cluster);
/// These become all that the topic is set to itself.
admin_call set_settings_call(std::shared_ptr<client> by, const std::string& topic,
                             const std::map<std::string, std::string>& settings);
result<void> read_set(rd_kafka_event_t* answer, const std::string& cluster);

admin_call group_members_call(std::shared_ptr<client> by, const std::string& group);
result<std::vector<port::group_member>> read_members(rd_kafka_event_t* answer, const std::string& cluster);

admin_call group_offsets_call(std::shared_ptr<client> by, const std::string& group,
                              const std::vector<topic_partition>& where, bool stable);
/// `timed_out` while one of them is undecided.
result<std::vector<port::group_offset>> read_group_offsets(rd_kafka_event_t* answer,
                                                           const std::vector<topic_partition>& where,
                                                           const std::string& cluster);

}  // namespace flow::kafka
