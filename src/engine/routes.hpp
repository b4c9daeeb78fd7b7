#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lane.hpp"
#include "names.hpp"
#include "route.hpp"

#include <flow/plan.hpp>
#include <flow/ports.hpp>

namespace flow::engine {

route make_route(const port::topic_description& topic, topic_id id);
route outside();
route forbidden(const std::string& topic, std::string why);

/// The topic that a sink writes what comes from a source to, unless each record names it. `called`: the source's topic,
/// as patterns see it.
std::string topic_of(const sink_spec& sink, const names& of, std::string_view called);

/// What is read for these nodes of the plan comes to the sink.
bool lead_to(const sink_spec& sink, const std::vector<source_partition>& entries);
/// ... or to one of these sinks (bit i: sink i of the plan).
bool lead_to(const std::vector<sink_spec>& all, std::uint64_t sinks, const std::vector<source_partition>& entries);
/// What goes through a topic of the application's own comes to one of these sinks.
bool lead_to_from_own(const plan& topology, std::uint64_t sinks);

/// The partition of a route's topic that a record goes to.
inline std::int32_t partition_of(const route& to, const emission& what) {
  if (what.how == emission::partitioning::kept) return what.partition;
  return static_cast<std::int32_t>(what.hash % static_cast<std::uint32_t>(to.partitions));
}

/// Why the cluster would refuse this record; empty: it would not. `wall_clock` in milliseconds since 1970.
std::string refusal_of(const route& to, const emission& what, std::int64_t wall_clock);

/// Where one cluster's sinks write what comes from each source.
class routes {
 public:
  /// nullptr: that topic, or the partition in it, is not known yet.
  const route* find(std::uint32_t sink, const source& from, const emission& what) const;
  void add(std::uint32_t sink, const source& from, route to);
  void add(std::uint32_t sink, route to);  ///< of a sink that names a topic in each record
  void clear() { by_source_.clear(), by_record_.clear(); }

  /// Any that leads to this topic; nullptr: none does.
  const route* to(std::string_view topic) const;
  /// Bytes that each of the topics takes at once.
  std::size_t largest_batch() const;
  /// Records of `from` may go to `where`, as far as the sinks tell.
  bool lead(const std::vector<sink_spec>& sinks, const source& from, const topic_partition& where) const;

 private:
  std::vector<std::vector<route>> by_source_;                      // by sink, then source
  std::vector<std::unordered_map<std::string, route>> by_record_;  // by sink, then topic
};

}  // namespace flow::engine
