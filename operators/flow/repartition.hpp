#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include <flow/op.hpp>
#include <flow/outlet.hpp>
#include <flow/partition.hpp>
#include <flow/plan.hpp>
#include <flow/source.hpp>

namespace flow {

/// What `repartition` returns.
struct repartition_op : op<repartition_op> {
  static constexpr std::string_view verb = "repartition";

  repartition_op(label name, std::int32_t partitions) : op<repartition_op>{name}, partitions{partitions} {}

  template <typename In>
  static consteval auto out() {
    if constexpr (comes_back<typename In::key_type, typename In::value_type>() && is_writable<In>()) {
      return through<typename In::key_type, typename In::value_type, placement::by_key>{};
    } else {
      return poisoned{};
    }
  }

  template <typename In>
  sink_spec sink() const {
    return {.clusters = {std::string{home}},
            .names = sink_spec::naming::own,
            .topic = this->name(),
            .partitions = partitions};
  }

  std::vector<flaw> flaws() const {
    if (partitions < 0) return {{"there cannot be " + std::to_string(partitions) + " partitions", "1 is the least"}};
    return {};
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto& out) const {
    emission& e = out.emit_by(r, default_codings<K, V>);
    place_by_number(e, static_cast<std::uint32_t>(e.partition));
    place_by_key(e);
  }

  std::int32_t partitions;
};

/// Brings equal keys together again after `key_by`: the records go through a topic of the application's own on the home
/// cluster, with `partitions` partitions (0: as many as the largest topic that is read), each key in the one where
/// Java's clients would put it, records without a key wherever they come from. Key, value, headers and timestamp are
/// kept;
/// `{topic}` behind it stands for its name. Exactly once, as everything that is written; what every target has behind
/// it is deleted.
///
/// Order: that of each source partition within each partition of that topic, so that of each key, if it came from one
/// partition. The name stands on disk, and so does the number of partitions: it is fixed at the first start.
inline repartition_op repartition(label name, std::int32_t partitions = 0) {
  return {name, partitions};
}

/// A repartition whose name was forgotten.
template <typename... Others>
requires(!std::is_convertible_v<const Others&, std::string_view> && ...) repartition_op repartition(const Others&...) {
  static_assert(never<Others...>,
                "flow: repartition needs a name first, since it stands on disk: repartition(\"orders-by-customer\")");
  return {std::string{}, 0};
}

}  // namespace flow
