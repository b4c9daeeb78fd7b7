#include "outbox.hpp"

#include <charconv>
#include <limits>

#include <flow/topic_selection.hpp>

namespace flow::engine {
namespace {

// What a record weighs on the wire at most beside its key, value and headers (batch and record framing, v2 format).
constexpr std::size_t framing = 100;
constexpr std::size_t header_framing = 10;

std::int64_t number(const std::map<std::string, std::string>& settings, const std::string& name, std::int64_t otherwise) {
  const auto at = settings.find(name);
  if (at == settings.end()) return otherwise;
  std::int64_t value = otherwise;
  std::from_chars(at->second.data(), at->second.data() + at->second.size(), value);
  return value;
}

std::size_t weight(const emission& what) {
  return size_of(what.key, what.value, what.headers) + framing + what.headers.size() * header_framing;
}

template <typename T>
T& at(std::vector<T>& items, std::uint32_t index) {
  if (items.size() <= index) items.resize(index + 1);
  return items[index];
}

}  // namespace

std::size_t size_of(bytes key, bytes value, std::span<const header> headers) {
  std::size_t size = key.size() + value.size();
  for (const auto& each : headers) size += each.key.size() + each.value.size();
  return size;
}

route make_route(const port::topic_description& topic, topic_id id) {
  const auto policy = topic.settings.find("cleanup.policy");
  const auto stamp = topic.settings.find("message.timestamp.type");
  const bool stamped_by_broker = stamp != topic.settings.end() && stamp->second == "LogAppendTime";
  constexpr auto unlimited = std::numeric_limits<std::int64_t>::max();
  return {.topic = id,
          .name = topic.name,
          .partitions = topic.partitions,
          .largest_record = static_cast<std::size_t>(number(topic.settings, "max.message.bytes", 1'048'588)),
          .furthest_ahead =
              stamped_by_broker ? unlimited : number(topic.settings, "message.timestamp.after.max.ms", unlimited),
          .furthest_behind =
              stamped_by_broker ? unlimited : number(topic.settings, "message.timestamp.before.max.ms", unlimited),
          .needs_key = policy != topic.settings.end() && policy->second.find("compact") != std::string::npos};
}

std::string topic_of(const sink_spec& sink, std::string_view home, std::string_view source_topic,
                     std::string_view by_record) {
  if (sink.names == sink_spec::naming::by_record) return std::string{by_record};
  if (sink.names == sink_spec::naming::pattern) return topic_by_pattern(sink.topic, source_topic, home);
  return sink.topic;
}

const route* outbox::find(std::uint32_t sink, const source& from, const emission& what) const {
  if (what.topic.is_null()) {
    if (sink >= routes_.size() || from.id >= routes_[sink].size()) return nullptr;
    const route& known = routes_[sink][from.id];
    return known.partitions > 0 ? &known : nullptr;
  }
  if (sink >= by_record_.size()) return nullptr;
  const auto known = by_record_[sink].find(what.topic.str());
  return known == by_record_[sink].end() ? nullptr : &known->second;
}

void outbox::add(std::uint32_t sink, const source& from, route to) { at(at(routes_, sink), from.id) = std::move(to); }

void outbox::add(std::uint32_t sink, route to) {
  auto name = to.name;
  at(by_record_, sink).insert_or_assign(std::move(name), std::move(to));
}

std::string outbox::refusal(const route& to, const emission& what, std::int64_t wall_clock) {
  if (what.how == emission::partitioning::kept && what.partition >= to.partitions)
    return "partition " + std::to_string(what.partition) + " does not exist in " + to.name + ", which has " +
           std::to_string(to.partitions) + "; add partitions to it, or write by key";
  if (const auto size = weight(what); size > to.largest_record)
    return "the record of about " + std::to_string(size) + " bytes is larger than " + to.name + " takes (" +
           std::to_string(to.largest_record) + "); raise its max.message.bytes";
  if (what.timestamp == 0)
    return "the record's timestamp is 0 (the beginning of 1970), which the client library would replace by the current " +
           std::string{"time; give it another"};
  if (to.furthest_ahead < std::numeric_limits<std::int64_t>::max() - wall_clock &&
      what.timestamp > wall_clock + to.furthest_ahead)
    return "the record's timestamp is " + std::to_string((what.timestamp - wall_clock) / 1000) +
           " s ahead of the clock, more than " + to.name + " takes; raise its message.timestamp.after.max.ms";
  if (wall_clock - what.timestamp > to.furthest_behind)
    return "the record's timestamp is " + std::to_string((wall_clock - what.timestamp) / 1000) +
           " s behind the clock, more than " + to.name + " takes; raise its message.timestamp.before.max.ms";
  if (to.needs_key && what.key.is_null())
    return "the record has no key, and " + to.name + " is compacted, which takes only records with one; write to a " +
           "topic with cleanup.policy=delete, or give the records keys";
  return {};
}

void outbox::append(const route& to, const emission& what, source_record from, const std::shared_ptr<held>& by) {
  if (from != std::exchange(latest_record_, from)) ++records_;
  if (by.get() != latest_) {
    latest_ = by.get();
    held_ += by->size;
    waiting_.buffers.push_back(by);
  }
  waiting_.size += size_of(what.key, what.value, what.headers);
  waiting_.records.push_back({.topic = to.topic,
                              .partition = what.how == emission::partitioning::kept
                                               ? what.partition
                                               : static_cast<std::int32_t>(what.hash % static_cast<std::uint32_t>(
                                                                                           to.partitions)),
                              .timestamp = what.timestamp,
                              .key = what.key,
                              .value = what.value,
                              .headers = what.headers});
}

outgoing outbox::take() {
  const auto as_many = waiting_.records.size();
  latest_ = nullptr;
  held_ = 0;
  records_ = 0;
  latest_record_ = {};
  auto taken = std::exchange(waiting_, {});
  // The next turn takes about as much, and growing to it anew would copy it several times.
  waiting_.records.reserve(as_many);
  return taken;
}

void outbox::drop() { take(); }

}  // namespace flow::engine
