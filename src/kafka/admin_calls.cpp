#include "admin_calls.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "failures.hpp"

namespace flow::kafka {
namespace {

using new_topic_ptr = std::unique_ptr<rd_kafka_NewTopic_t, destroys<rd_kafka_NewTopic_destroy>>;
using new_partitions_ptr = std::unique_ptr<rd_kafka_NewPartitions_t, destroys<rd_kafka_NewPartitions_destroy>>;
using old_records_ptr = std::unique_ptr<rd_kafka_DeleteRecords_t, destroys<rd_kafka_DeleteRecords_destroy>>;
using config_ptr = std::unique_ptr<rd_kafka_ConfigResource_t, destroys<rd_kafka_ConfigResource_destroy>>;
using group_query_ptr =
    std::unique_ptr<rd_kafka_ListConsumerGroupOffsets_t, destroys<rd_kafka_ListConsumerGroupOffsets_destroy>>;

template <typename Pointer>
auto raw(const std::vector<Pointer>& owned) {
  std::vector<typename Pointer::pointer> list;
  for (const Pointer& each : owned) list.push_back(each.get());
  return list;
}

std::string text_of(const char* text) {
  return text ? text : "";
}

/// What the call as a whole came to.
result<void> check(rd_kafka_event_t* answer, const std::string& what) {
  if (const auto code = rd_kafka_event_error(answer))
    return tl::unexpected{failure_of(code, what, rd_kafka_event_error_string(answer))};
  return {};
}

/// What it came to for each topic; `fine` is no failure either.
result<void> check(const rd_kafka_topic_result_t* const* topics, std::size_t count, const std::string& what,
                   rd_kafka_resp_err_t fine) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto code = rd_kafka_topic_result_error(topics[i]);
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == fine) continue;
    return tl::unexpected{failure_of(code, what + " " + rd_kafka_topic_result_name(topics[i]),
                                     text_of(rd_kafka_topic_result_error_string(topics[i])))};
  }
  return {};
}

// A call whose limit is over before its coordinator has been found is freed, and used once more when that is found
// (librdkafka 2.0.2). So a call gets the longest limit there is, and its client is closed before that is over.
constexpr int longest_limit_ms = 3'600'000;
constexpr std::chrono::minutes life_with_unanswered{1};

// A client goes on asking the coordinator that it has found once, for as long as it is asked (librdkafka 2.0.2). One
// that is made a moment later, when the brokers know, finds the next.
constexpr std::chrono::milliseconds life_with_misdirected{200};

// A client waits for the controller that it has heard of last, also if that is gone, and all the while connects to it
// without a pause (librdkafka 2.0.2). Only who asks who is there makes it hear of another.
constexpr std::chrono::seconds look_every{1};
constexpr int look_limit_ms = 1'000;

void look_who_is_there(const client& by) {
  const rd_kafka_metadata_t* got = nullptr;
  if (rd_kafka_metadata(by.get(), 0, nullptr, &got, look_limit_ms) == RD_KAFKA_RESP_ERR_NO_ERROR)
    rd_kafka_metadata_destroy(got);
}

rd_kafka_resp_err_t error_of_group(rd_kafka_event_t* answer) {
  std::size_t count = 0;
  const auto* found = rd_kafka_event_DescribeConsumerGroups_result(answer);
  const auto* groups = found ? rd_kafka_DescribeConsumerGroups_result_groups(found, &count) : nullptr;
  return rd_kafka_error_code(count == 1 ? rd_kafka_ConsumerGroupDescription_error(groups[0]) : nullptr);
}

bool is_misdirected(rd_kafka_event_t* answer) {
  return rd_kafka_event_error(answer) == RD_KAFKA_RESP_ERR_NOT_COORDINATOR ||
         error_of_group(answer) == RD_KAFKA_RESP_ERR_NOT_COORDINATOR;
}

}  // namespace

admin_call::admin_call(std::shared_ptr<client> by, rd_kafka_admin_op_t what, const sending& send, bool stable)
    : by_{std::move(by)},
      answers_{rd_kafka_queue_new(by_->get())},
      look_at_{std::chrono::steady_clock::now() + look_every} {
  const admin_options_ptr options{rd_kafka_AdminOptions_new(by_->get(), what)};
  std::array<char, 256> unused{};
  rd_kafka_AdminOptions_set_request_timeout(options.get(), longest_limit_ms, unused.data(), unused.size());
  if (what == RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS)
    if (auto* error = rd_kafka_AdminOptions_set_require_stable_offsets(options.get(), stable))
      rd_kafka_error_destroy(error);
  send(by_->get(), options.get(), answers_.get());
}

admin_call::~admin_call() {
  if (by_ && !answered_) by_->retire_after(life_with_unanswered);
}

event_ptr admin_call::poll(port::milliseconds patience) {
  event_ptr answer{rd_kafka_queue_poll(answers_.get(), static_cast<int>(patience.count()))};
  answered_ = answer != nullptr;
  if (!answered_ && std::chrono::steady_clock::now() >= look_at_) {
    look_who_is_there(*by_);
    look_at_ = std::chrono::steady_clock::now() + look_every;
  }
  if (answered_ && is_misdirected(answer.get())) by_->retire_after(life_with_misdirected);
  return answer;
}

// ---- topics

admin_call describe_topics_call(std::shared_ptr<client> by, const std::vector<std::string>& names) {
  std::vector<config_ptr> asked;
  for (const std::string& name : names)
    asked.emplace_back(rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, name.c_str()));
  return {std::move(by), RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, [&](auto* handle, auto* options, auto* queue) {
            auto list = raw(asked);
            rd_kafka_DescribeConfigs(handle, list.data(), list.size(), options, queue);
          }};
}

result<void> read_settings(rd_kafka_event_t* answer, std::vector<port::topic_description>& into,
                           const std::string& cluster) {
  const std::string what = "settings on " + cluster;
  if (auto fine = check(answer, what); !fine) return fine;
  std::size_t count = 0;
  const auto* topics = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answer), &count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::string name = rd_kafka_ConfigResource_name(topics[i]);
    const auto to = std::ranges::find(into, name, &port::topic_description::name);
    const auto code = rd_kafka_ConfigResource_error(topics[i]);
    if (to == into.end()) continue;
    if (kind_of(code) == failure_kind::missing) {
      into.erase(to);
      continue;
    }
    if (code) return tl::unexpected{failure_of(code, what + " of " + name)};
    std::size_t entries = 0;
    const auto* settings = rd_kafka_ConfigResource_configs(topics[i], &entries);
    for (std::size_t j = 0; j < entries; ++j)
      to->settings[rd_kafka_ConfigEntry_name(settings[j])] = text_of(rd_kafka_ConfigEntry_value(settings[j]));
  }
  return {};
}

admin_call create_topics_call(std::shared_ptr<client> by, const std::vector<port::new_topic>& topics) {
  std::array<char, 256> unused{};
  std::vector<new_topic_ptr> wanted;
  for (const port::new_topic& topic : topics) {
    wanted.emplace_back(
        rd_kafka_NewTopic_new(topic.name.c_str(), topic.partitions, topic.replicas, unused.data(), unused.size()));
    for (const auto& [name, value] : topic.settings)
      rd_kafka_NewTopic_set_config(wanted.back().get(), name.c_str(), value.c_str());
  }
  return {std::move(by), RD_KAFKA_ADMIN_OP_CREATETOPICS, [&](auto* handle, auto* options, auto* queue) {
            auto list = raw(wanted);
            rd_kafka_CreateTopics(handle, list.data(), list.size(), options, queue);
          }};
}

result<void> read_created(rd_kafka_event_t* answer, const std::string& cluster) {
  const std::string what = "create on " + cluster + " topic";
  if (auto fine = check(answer, what); !fine) return fine;
  std::size_t count = 0;
  const auto* topics = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(answer), &count);
  return check(topics, count, what, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS);
}

admin_call add_partitions_call(std::shared_ptr<client> by, const std::string& topic, std::int32_t total) {
  std::array<char, 256> unused{};
  const new_partitions_ptr wanted{
      rd_kafka_NewPartitions_new(topic.c_str(), static_cast<std::size_t>(total), unused.data(), unused.size())};
  return {std::move(by), RD_KAFKA_ADMIN_OP_CREATEPARTITIONS, [&](auto* handle, auto* options, auto* queue) {
            rd_kafka_NewPartitions_t* one = wanted.get();
            rd_kafka_CreatePartitions(handle, &one, 1, options, queue);
          }};
}

result<void> read_grown(rd_kafka_event_t* answer, const std::string& cluster) {
  const std::string what = "add partitions on " + cluster + " to topic";
  if (auto fine = check(answer, what); !fine) return fine;
  std::size_t count = 0;
  const auto* topics = rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(answer), &count);
  return check(topics, count, what, RD_KAFKA_RESP_ERR_NO_ERROR);
}

admin_call delete_records_call(std::shared_ptr<client> by, const std::map<topic_partition, std::int64_t>& below) {
  const partitions_ptr list{rd_kafka_topic_partition_list_new(static_cast<int>(below.size()))};
  for (const auto& [where, offset] : below)
    rd_kafka_topic_partition_list_add(list.get(), where.topic.c_str(), where.partition)->offset = offset;
  const old_records_ptr wanted{rd_kafka_DeleteRecords_new(list.get())};
  return {std::move(by), RD_KAFKA_ADMIN_OP_DELETERECORDS, [&](auto* handle, auto* options, auto* queue) {
            rd_kafka_DeleteRecords_t* one = wanted.get();
            rd_kafka_DeleteRecords(handle, &one, 1, options, queue);
          }};
}

result<void> read_deleted(rd_kafka_event_t* answer, const std::string& cluster) {
  const std::string what = "delete records on " + cluster;
  if (auto fine = check(answer, what); !fine) return fine;
  const auto* list = rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(answer));
  for (int i = 0; i < list->cnt; ++i)
    if (const auto& each = list->elems[i]; each.err)
      return tl::unexpected{failure_of(each.err, what + " of " + to_string({each.topic, each.partition}))};
  return {};
}

// ---- groups

result<std::map<std::string, std::string>> read_own_settings(rd_kafka_event_t* answer, const std::string& topic,
                                                             const std::string& cluster) {
  const std::string what = "settings on " + cluster;
  if (auto fine = check(answer, what); !fine) return tl::unexpected{fine.error()};
  std::size_t count = 0;
  const auto* topics = rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(answer), &count);
  std::map<std::string, std::string> own;
  for (std::size_t i = 0; i < count; ++i) {
    if (const auto code = rd_kafka_ConfigResource_error(topics[i]))
      return tl::unexpected{failure_of(code, what + " of " + topic)};
    std::size_t entries = 0;
    const auto* settings = rd_kafka_ConfigResource_configs(topics[i], &entries);
    for (std::size_t j = 0; j < entries; ++j)
      if (rd_kafka_ConfigEntry_source(settings[j]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG)
        own[rd_kafka_ConfigEntry_name(settings[j])] = text_of(rd_kafka_ConfigEntry_value(settings[j]));
  }
  return own;
}

admin_call set_settings_call(std::shared_ptr<client> by, const std::string& topic,
                             const std::map<std::string, std::string>& settings) {
  const config_ptr wanted{rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str())};
  for (const auto& [name, value] : settings)
    rd_kafka_ConfigResource_set_config(wanted.get(), name.c_str(), value.c_str());
  return {std::move(by), RD_KAFKA_ADMIN_OP_ALTERCONFIGS, [&](auto* handle, auto* options, auto* queue) {
            rd_kafka_ConfigResource_t* one = wanted.get();
            rd_kafka_AlterConfigs(handle, &one, 1, options, queue);
          }};
}

result<void> read_set(rd_kafka_event_t* answer, const std::string& cluster) {
  const std::string what = "change on " + cluster + " topic";
  if (auto fine = check(answer, what); !fine) return fine;
  std::size_t count = 0;
  const auto* topics = rd_kafka_AlterConfigs_result_resources(rd_kafka_event_AlterConfigs_result(answer), &count);
  for (std::size_t i = 0; i < count; ++i)
    if (const auto code = rd_kafka_ConfigResource_error(topics[i]))
      return tl::unexpected{failure_of(code, what + " " + rd_kafka_ConfigResource_name(topics[i]),
                                       text_of(rd_kafka_ConfigResource_error_string(topics[i])))};
  return {};
}

admin_call group_members_call(std::shared_ptr<client> by, const std::string& group) {
  return {std::move(by), RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS, [&](auto* handle, auto* options, auto* queue) {
            const char* name = group.c_str();
            rd_kafka_DescribeConsumerGroups(handle, &name, 1, options, queue);
          }};
}

result<std::vector<port::group_member>> read_members(rd_kafka_event_t* answer, const std::string& cluster) {
  const std::string what = "members on " + cluster;
  if (auto fine = check(answer, what); !fine) return tl::unexpected{std::move(fine.error())};
  std::size_t count = 0;
  const auto* groups =
      rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(answer), &count);
  std::vector<port::group_member> members;
  for (std::size_t i = 0; i < count; ++i) {
    if (const auto* error = rd_kafka_ConsumerGroupDescription_error(groups[i]))
      return tl::unexpected{failure_of(rd_kafka_error_code(error), what, rd_kafka_error_string(error))};
    const std::size_t size = rd_kafka_ConsumerGroupDescription_member_count(groups[i]);
    for (std::size_t j = 0; j < size; ++j) {
      const auto* one = rd_kafka_ConsumerGroupDescription_member(groups[i], j);
      members.push_back({text_of(rd_kafka_MemberDescription_consumer_id(one)),
                         text_of(rd_kafka_MemberDescription_group_instance_id(one)),
                         text_of(rd_kafka_MemberDescription_client_id(one))});
    }
  }
  return members;
}

admin_call group_offsets_call(std::shared_ptr<client> by, const std::string& group,
                              const std::vector<topic_partition>& where, bool stable) {
  const partitions_ptr list{rd_kafka_topic_partition_list_new(static_cast<int>(where.size()))};
  for (const topic_partition& each : where)
    rd_kafka_topic_partition_list_add(list.get(), each.topic.c_str(), each.partition);
  rd_kafka_topic_partition_list_sort(list.get(), nullptr, nullptr);
  const group_query_ptr query{rd_kafka_ListConsumerGroupOffsets_new(group.c_str(), list.get())};
  return {std::move(by), RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS,
          [&](auto* handle, auto* options, auto* queue) {
            rd_kafka_ListConsumerGroupOffsets_t* one = query.get();
            rd_kafka_ListConsumerGroupOffsets(handle, &one, 1, options, queue);
          },
          stable};
}

result<std::vector<port::group_offset>> read_group_offsets(rd_kafka_event_t* answer,
                                                           const std::vector<topic_partition>& where,
                                                           const std::string& cluster) {
  const std::string what = "group offsets on " + cluster;
  if (auto fine = check(answer, what); !fine) return tl::unexpected{std::move(fine.error())};
  std::size_t count = 0;
  const auto* groups =
      rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(answer), &count);
  if (count != 1) return fail(failure_kind::retriable, what + ": no answer for the group");
  if (const auto* error = rd_kafka_group_result_error(groups[0]))
    return tl::unexpected{failure_of(rd_kafka_error_code(error), what, rd_kafka_error_string(error))};
  const auto* list = rd_kafka_group_result_partitions(groups[0]);
  std::vector<port::group_offset> offsets;
  for (const topic_partition& each : where) {
    // A partition without an answer has not been looked up: that is not "none".
    const auto* at = rd_kafka_topic_partition_list_find(list, each.topic.c_str(), each.partition);
    if (!at) return fail(failure_kind::retriable, what + ": no answer for " + to_string(each));
    if (at->err) return tl::unexpected{failure_of(at->err, what + ", " + to_string(each))};
    const bool none = at->offset < 0;
    const auto* metadata = static_cast<const char*>(at->metadata);
    offsets.push_back(
        {each, none ? -1 : at->offset, none || !metadata ? "" : std::string(metadata, at->metadata_size)});
  }
  return offsets;
}

}  // namespace flow::kafka
