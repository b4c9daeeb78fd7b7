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
#include <flow/route.hpp>

namespace flow {

/// How `fan_out` writes, on each cluster alike.
struct fan_out_options {
  std::string rename = "{topic}";  ///< the name there; {topic} and {source} are where the record came from
  flow::partition partition = automatic;
  bool create = true;  ///< a missing topic is created, partitioned as the source topic
  /// Settings of topics, as "retention.ms", that are kept as the source topic has them: looked at every half a minute, and
  /// changed there, whoever has set them otherwise. Counts only where each source topic has one of its own, as by `rename`;
  /// topics for letters follow "max.message.bytes" upwards. A cluster that does not allow it is complained about once.
  std::vector<std::string> sync_settings{};
};

/// What `fan_out` returns: a sink. Headers and timestamp are kept; a key or value that nobody wrote goes out byte for
/// byte.
template <typename Route>
struct fan_out_op : op<fan_out_op<Route>> {
  static constexpr std::string_view verb = "fan_out";

  fan_out_op(label name, std::vector<std::string> clusters, Route where, fan_out_options how)
      : op<fan_out_op>{name}, clusters{std::move(clusters)}, where{std::move(where)}, how{std::move(how)} {}
  template <typename OtherRoute>
  fan_out_op(const fan_out_op<OtherRoute>& other, Route where)
      : clusters{other.clusters}, where{std::move(where)}, how{other.how} {
    this->inherit(other);
  }

  /// To the topic whose name `f(...)` returns for each record; `f` is called as every function of records is.
  template <typename F>
  fan_out_op<kept_t<F>> rename(F f) const {
    return {*this, std::move(f)};
  }

  template <typename In>
  static consteval auto out() {
    if constexpr (fits<In>()) {
      return ends{};
    } else {
      return poisoned{};
    }
  }

  template <typename In>
  sink_spec sink() const {
    sink_spec spec = route<Route>::spec(where);
    spec.clusters = clusters;
    spec.keeps_partition = outlet<In>::keeps_partition(how.partition);
    spec.create = how.create;
    spec.sync_settings = how.sync_settings;
    return spec;
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto& out) const {
    out.place(route<Route>::emit(where, r, out), how.partition);
  }

  void captures(auto see) const { see(where); }

  std::vector<std::string> clusters;
  Route where;
  fan_out_options how;

 private:
  template <typename In>
  static consteval bool fits() {
    if constexpr (std::is_same_v<Route, std::string>) {
      return route<Route>::template fits<In>();
    } else if constexpr (is_function_for<Route, typename In::key_type, typename In::value_type>()) {
      constexpr bool is_name =
          std::is_convertible_v<call_result<Route, typename In::key_type, typename In::value_type>, std::string>;
      static_assert(is_name, "flow: rename needs a function that returns a topic's name");
      if constexpr (is_name) return route<Route>::template fits<In>();
    }
    return false;
  }
};

/// Writes each record to every one of `clusters`, independently of each other: each has its own position, and a slow
/// or broken one holds up none of the rest. A single one may be given by its name. The name of the node stands on disk,
/// so it is required.
inline fan_out_op<std::string> fan_out(label name, std::vector<std::string> clusters, fan_out_options how = {}) {
  return {name, std::move(clusters), how.rename, how};
}
template <typename Cluster>
requires(std::is_convertible_v<const Cluster&, std::string_view>) fan_out_op<std::string> fan_out(
    label name, const Cluster& cluster, fan_out_options how = {}) {
  return fan_out(name, std::vector{std::string{cluster}}, std::move(how));
}

/// A fan-out whose name was forgotten.
template <typename Clusters>
requires(!std::is_convertible_v<const Clusters&, std::string_view>) fan_out_op<std::string> fan_out(
    const Clusters&, const fan_out_options& = {}) {
  static_assert(never<Clusters>,
                "flow: fan_out needs a name first, since it stands on disk: fan_out(\"regions\", clusters)");
  return {std::string{}, {}, {}, {}};
}

}  // namespace flow
