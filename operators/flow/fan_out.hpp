#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <flow/op.hpp>
#include <flow/outlet.hpp>
#include <flow/partition.hpp>
#include <flow/plan.hpp>
#include <flow/topic.hpp>

namespace flow {

/// How `fan_out` writes, on each cluster alike.
struct fan_out_options {
  std::string rename = "{topic}";  ///< the name there; {topic} and {source} are where the record came from
  flow::partition partition = automatic;
  bool create = true;  ///< a missing topic is created, partitioned as the source topic
};

/// What `fan_out` returns: a sink. Headers and timestamp are kept; a key or value that nobody wrote goes out byte for
/// byte.
struct fan_out_op : op<fan_out_op> {
  static constexpr std::string_view verb = "fan_out";

  fan_out_op(label name, std::vector<std::string> clusters, fan_out_options how)
      : op<fan_out_op>{name}, clusters{std::move(clusters)}, how{std::move(how)} {}

  template <typename In>
  static consteval auto out() {
    if constexpr (is_writable<In>()) {
      return ends{};
    } else {
      return poisoned{};
    }
  }

  template <typename In>
  sink_spec sink() const {
    return {.clusters = clusters,
            .names = sink_spec::naming::pattern,
            .topic = how.rename,
            .keeps_partition = outlet<In>::keeps_partition(how.partition),
            .create = how.create};
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto& out) const {
    out.place(out.emit(r, default_codings<K, V>), how.partition);
  }

  std::vector<std::string> clusters;
  fan_out_options how;
};

/// Writes each record to every one of `clusters`, independently of each other: each has its own position, and a slow
/// or broken one holds up none of the rest. A single one may be given by its name. The name of the node stands on disk,
/// so it is required.
inline fan_out_op fan_out(label name, std::vector<std::string> clusters, fan_out_options how = {}) {
  return {name, std::move(clusters), std::move(how)};
}
template <typename Cluster>
requires(std::is_convertible_v<const Cluster&, std::string_view>) fan_out_op
    fan_out(label name, const Cluster& cluster, fan_out_options how = {}) {
  return {name, {std::string{cluster}}, std::move(how)};
}

/// A fan-out whose name was forgotten.
template <typename Clusters>
requires(!std::is_convertible_v<const Clusters&, std::string_view>) fan_out_op
    fan_out(const Clusters&, const fan_out_options& = {}) {
  static_assert(never<Clusters>,
                "flow: fan_out needs a name first, since it stands on disk: fan_out(\"regions\", clusters)");
  return {std::string{}, {}, {}};
}

}  // namespace flow
