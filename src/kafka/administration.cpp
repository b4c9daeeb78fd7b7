#include "administration.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "failures.hpp"

namespace flow::kafka {
namespace {

using metadata_ptr = std::unique_ptr<const rd_kafka_metadata_t, destroys<rd_kafka_metadata_destroy>>;

properties defaults_for(const connection& to) {
  return {{"fetch.wait.max.ms", "20"},
          {"fetch.error.backoff.ms", "50"},
          {"queued.max.messages.kbytes", "4096"},
          {"fetch.max.bytes", std::to_string(std::max<std::size_t>(4u << 20, least_fetch(to)))},
          {"topic.metadata.refresh.fast.interval.ms", "50"},
          {"topic.metadata.propagation.max.ms", "2000"},
          {"reconnect.backoff.ms", "50"},
          {"reconnect.backoff.max.ms", "1000"}};
}

const char* name_of(port::isolation isolated) {
  return isolated == port::isolation::read_committed ? "read_committed" : "read_uncommitted";
}

int in_ms(port::milliseconds limit) {
  return static_cast<int>(limit.count());
}

partitions_ptr times_of(const std::vector<topic_partition>& where, std::int64_t time) {
  partitions_ptr list{rd_kafka_topic_partition_list_new(static_cast<int>(where.size()))};
  for (const topic_partition& each : where)
    rd_kafka_topic_partition_list_add(list.get(), each.topic.c_str(), each.partition)->offset = time;
  // The request names each topic once, and relies on the order.
  rd_kafka_topic_partition_list_sort(list.get(), nullptr, nullptr);
  return list;
}

/// Of all topics. The client keeps it, and knows by it who leads a partition.
result<metadata_ptr> ask_metadata(const client& by, port::milliseconds limit) {
  const rd_kafka_metadata_t* got = nullptr;
  if (const auto code = rd_kafka_metadata(by.get(), 1, nullptr, &got, in_ms(limit)))
    return tl::unexpected{by.unreached(code)};
  return metadata_ptr{got};
}

/// One ListOffsets per broker. Its special times are the protocol's: -1 for the end, -2 for the beginning.
result<std::vector<std::int64_t>> try_list_offsets(const client& by, const std::vector<topic_partition>& where,
                                                   std::int64_t time, port::milliseconds limit) {
  const partitions_ptr list = times_of(where, time);
  const std::string what = "offsets of " + to_string(where.front()) + " on " + by.cluster();
  if (const auto code = rd_kafka_offsets_for_times(by.get(), list.get(), in_ms(limit)))
    return tl::unexpected{failure_of(code, what)};
  std::vector<std::int64_t> found;
  for (const topic_partition& each : where) {
    const auto* at = rd_kafka_topic_partition_list_find(list.get(), each.topic.c_str(), each.partition);
    if (at->err != RD_KAFKA_RESP_ERR_NO_ERROR)
      return tl::unexpected{failure_of(at->err, "offset of " + to_string(each) + " on " + by.cluster())};
    found.push_back(at->offset);
  }
  return found;
}

/// Whatever a broker answers, the client goes on taking it for the leader that it once was (librdkafka 2.0.2). Only who
/// asks for topics makes it look, so that the next attempt goes to the one that leads now.
result<std::vector<std::int64_t>> list_offsets(const client& by, const std::vector<topic_partition>& where,
                                               std::int64_t time, port::milliseconds limit) {
  auto found = try_list_offsets(by, where, time, limit);
  if (!found && heals(found.error().kind)) std::ignore = ask_metadata(by, limit);
  return found;
}

constexpr std::int64_t end_time = -1;
constexpr std::int64_t beginning_time = -2;

}  // namespace

result<std::shared_ptr<client>> administration::reading(port::isolation isolated) {
  auto& found = reading_[isolated];
  if (found && !found->retired()) return found;
  auto opened = client::open(in_, RD_KAFKA_CONSUMER,
                             configure(in_.to, defaults_for(in_.to),
                                       {{"isolation.level", name_of(isolated)},
                                        {"enable.partition.eof", "true"},
                                        {"auto.offset.reset", "error"},
                                        {"enable.auto.commit", "false"},
                                        {"enable.auto.offset.store", "false"}}));
  if (opened) found = *opened;
  return opened;
}

result<std::shared_ptr<client>> administration::of_group(const std::string& group) {
  auto& found = of_groups_[group];
  if (found && !found->retired()) return found;
  auto opened =
      client::open(in_, RD_KAFKA_CONSUMER,
                   configure(in_.to, defaults_for(in_.to), {{"group.id", group}, {"enable.auto.commit", "false"}}));
  if (opened) found = *opened;
  return opened;
}

result<std::shared_ptr<client>> administration::writing_as(const std::string& transactional_id) const {
  return client::open(in_, RD_KAFKA_PRODUCER, configure(in_.to, {}, {{"transactional.id", transactional_id}}));
}

result<std::string> ask_identity(administration& by, port::milliseconds limit) {
  const auto handle = by.reading(port::isolation::read_uncommitted);
  if (!handle) return tl::unexpected{handle.error()};
  char* const id = rd_kafka_clusterid((*handle)->get(), in_ms(limit));
  if (!id) return tl::unexpected{(*handle)->unreached(RD_KAFKA_RESP_ERR__TIMED_OUT)};
  std::string found{id};
  rd_kafka_mem_free((*handle)->get(), id);
  return found;
}

result<std::vector<port::topic_description>> ask_topics(administration& by, port::milliseconds limit) {
  const auto handle = by.reading(port::isolation::read_uncommitted);
  if (!handle) return tl::unexpected{handle.error()};
  const auto got = ask_metadata(**handle, limit);
  if (!got) return tl::unexpected{got.error()};
  std::vector<port::topic_description> topics;
  for (int i = 0; i < (*got)->topic_cnt; ++i) {
    const rd_kafka_metadata_topic_t& topic = (*got)->topics[i];
    if (topic.err == RD_KAFKA_RESP_ERR_NO_ERROR) topics.push_back({topic.topic, topic.partition_cnt, {}});
  }
  return topics;
}

result<std::vector<std::int64_t>> ask_offsets(administration& by, const std::vector<topic_partition>& where,
                                              port::offset_query what, port::milliseconds limit) {
  using kind = port::offset_query::kind;
  if (where.empty()) return std::vector<std::int64_t>{};
  // The end that a handle sees is the one of its isolation level.
  const auto handle =
      by.reading(what.which == kind::last_stable ? port::isolation::read_committed : port::isolation::read_uncommitted);
  if (!handle) return tl::unexpected{handle.error()};
  if (what.which == kind::earliest) return list_offsets(**handle, where, beginning_time, limit);
  if (what.which != kind::at_time) return list_offsets(**handle, where, end_time, limit);
  auto found = list_offsets(**handle, where, std::max<std::int64_t>(what.time, 0), limit);
  if (!found || std::ranges::none_of(*found, [](std::int64_t offset) { return offset < 0; })) return found;
  const auto ends = list_offsets(**handle, where, end_time, limit);
  if (!ends) return ends;
  for (std::size_t i = 0; i < found->size(); ++i)
    if ((*found)[i] < 0) (*found)[i] = (*ends)[i];
  return found;
}

}  // namespace flow::kafka
