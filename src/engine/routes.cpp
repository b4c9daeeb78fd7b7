#include "routes.hpp"

#include <algorithm>
#include <charconv>
#include <limits>
#include <ranges>

#include "outbox.hpp"

#include <flow/topic.hpp>
#include <flow/topic_selection.hpp>

namespace flow::engine {
namespace {

// What a record weighs on the wire at most beside its key, value and headers (batch and record framing, v2 format).
constexpr std::size_t framing = 100;
constexpr std::size_t header_framing = 10;

std::int64_t number(const std::map<std::string, std::string>& settings, const std::string& name,
                    std::int64_t otherwise) {
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

route outside() {
  route made;
  made.partitions = 1;
  made.outside = true;
  return made;
}

route forbidden(const std::string& topic, std::string why) {
  route made;
  made.name = topic;
  made.partitions = 1;
  made.forbidden = std::move(why);
  return made;
}

std::string topic_of(const sink_spec& sink, const names& of, std::string_view called) {
  if (sink.names == sink_spec::naming::pattern) return topic_by_pattern(sink.topic, called, of.home);
  if (sink.names == sink_spec::naming::own) return own_topic(of.application, of.home, sink.topic);
  if (sink.names == sink_spec::naming::changelog) return changelog_topic(of.application, of.home, sink.topic);
  return sink.topic;
}

bool lead_to(const sink_spec& sink, const std::vector<source_partition>& entries) {
  return std::any_of(entries.begin(), entries.end(), [&](const auto& each) {
    return std::find(sink.sources.begin(), sink.sources.end(), each.source) != sink.sources.end();
  });
}

bool lead_to(const std::vector<sink_spec>& all, std::uint64_t sinks, const std::vector<source_partition>& entries) {
  for (std::uint32_t i = 0; i < all.size(); ++i)
    if ((sinks >> i & 1) != 0 && lead_to(all[i], entries)) return true;
  return false;
}

bool lead_to_from_own(const plan& topology, std::uint64_t sinks) {
  std::vector<source_partition> own;
  for (std::uint32_t i = 0; i < topology.sources().size(); ++i)
    if (!topology.sources()[i].through.empty()) own.push_back({.source = i, .cluster = {}, .topic = {}});
  return lead_to(topology.sinks(), sinks, own);
}

std::string refusal_of(const route& to, const emission& what, std::int64_t wall_clock) {
  if (to.outside) return {};
  if (!to.forbidden.empty()) return to.forbidden;
  if (what.how == emission::partitioning::kept && what.partition >= to.partitions)
    return "partition " + std::to_string(what.partition) + " does not exist in " + to.name + ", which has " +
           std::to_string(to.partitions) + "; add partitions to it, or write by key";
  if (const auto size = weight(what); size > to.largest_record)
    return "the record of about " + std::to_string(size) + " bytes is larger than " + to.name + " takes (" +
           std::to_string(to.largest_record) + "); raise its max.message.bytes";
  if (what.timestamp == 0)
    return "the record's timestamp is 0 (the beginning of 1970), which the client library would replace by the "
           "current " +
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

const route* routes::find(std::uint32_t sink, const source& from, const emission& what) const {
  const auto usable = [&](const route& known) {
    const bool is_on_its_way = known.is_growing && what.how == emission::partitioning::kept &&
                               what.partition >= known.partitions;
    return known.partitions > 0 && !is_on_its_way ? &known : nullptr;
  };
  if (what.topic.is_null()) {
    if (sink >= by_source_.size() || from.id >= by_source_[sink].size()) return nullptr;
    return usable(by_source_[sink][from.id]);
  }
  if (sink >= by_record_.size()) return nullptr;
  const auto known = by_record_[sink].find(what.topic.str());
  return known == by_record_[sink].end() ? nullptr : usable(known->second);
}

const route* routes::to(std::string_view topic) const {
  for (const auto& all : by_source_)
    if (const auto known = std::ranges::find(all, topic, &route::name); known != all.end()) return &*known;
  for (const auto& all : by_record_)
    for (const auto& [name, known] : all)
      if (name == topic) return &known;
  return nullptr;
}

void routes::add(std::uint32_t sink, const source& from, route to) {
  at(at(by_source_, sink), from.id) = std::move(to);
}

void routes::add(std::uint32_t sink, route to) {
  auto name = to.name;
  at(by_record_, sink).insert_or_assign(std::move(name), std::move(to));
}

std::size_t routes::largest_batch() const {
  auto most = std::numeric_limits<std::size_t>::max();
  const auto take_in = [&](const route& each) {
    if (each.largest_record > 0) most = std::min(most, each.largest_record);
  };
  for (const auto& all : by_source_) std::ranges::for_each(all, take_in);
  for (const auto& all : by_record_) std::ranges::for_each(all | std::views::values, take_in);
  return most;
}

bool routes::lead(const std::vector<sink_spec>& sinks, const source& from, const topic_partition& where) const {
  for (std::uint32_t sink = 0; sink < sinks.size(); ++sink) {
    if (sinks[sink].keeps_partition && from.where.partition != where.partition) continue;
    if (sink < by_source_.size() && from.id < by_source_[sink].size() && by_source_[sink][from.id].name == where.topic)
      return true;
    if (sink < by_record_.size() && by_record_[sink].contains(where.topic)) return true;
  }
  return false;
}

}  // namespace flow::engine
