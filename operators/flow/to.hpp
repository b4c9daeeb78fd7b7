#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <flow/op.hpp>
#include <flow/outlet.hpp>
#include <flow/partition.hpp>
#include <flow/plan.hpp>
#include <flow/route.hpp>

namespace flow {

/// How `to` writes.
struct to_options {
  std::string cluster{home};
  flow::partition partition = automatic;  ///< counts only without `partition_by`
  bool create = true;                     ///< a missing topic is created, partitioned as the source topic
};

/// No function chooses the partition; the options say which.
struct by_rule {};

/// What `to` returns: a sink. Headers and timestamp are kept; a key or value that nobody wrote goes out byte for byte.
template <typename Route, typename Number>
struct to_op : op<to_op<Route, Number>> {
  static constexpr std::string_view verb = "to";

  explicit to_op(Route where, to_options how, Number number = {})
      : where{std::move(where)}, how{std::move(how)}, number{std::move(number)} {}
  to_op(label name, Route where, to_options how) : op<to_op>{name}, where{std::move(where)}, how{std::move(how)} {}
  template <typename OtherNumber>
  to_op(const to_op<Route, OtherNumber>& other, Number number)
      : where{other.where}, how{other.how}, number{std::move(number)} {
    this->inherit(other);
  }

  /// Into partition `f(...)` modulo the number of partitions; `f` is called as every function of records is.
  template <typename F>
  to_op<Route, F> partition_by(F f) const {
    return {*this, std::move(f)};
  }

  template <typename In>
  static consteval auto out() {
    if constexpr (route<Route>::template fits<In>() && has_number<In>()) {
      return ends{};
    } else {
      return poisoned{};
    }
  }

  template <typename In>
  sink_spec sink() const {
    sink_spec spec = route<Route>::spec(where);
    spec.clusters = {how.cluster};
    spec.keeps_partition = chooses_by_rule && outlet<In>::keeps_partition(how.partition);
    spec.create = how.create;
    return spec;
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto& out) const {
    if constexpr (chooses_by_rule) {
      out.place(route<Route>::emit(where, r, out), how.partition);
    } else {
      const auto chosen = static_cast<std::uint32_t>(call(number, r));
      place_by_number(route<Route>::emit(where, r, out), chosen);
    }
  }

  void captures(auto see) const { see(where), see(number); }

  Route where;
  to_options how;
  [[no_unique_address]] Number number;

 private:
  static constexpr bool chooses_by_rule = std::is_same_v<Number, by_rule>;

  template <typename In>
  static consteval bool has_number() {
    if constexpr (chooses_by_rule) {
      return true;
    } else if constexpr (is_function_for<Number, typename In::key_type, typename In::value_type>()) {
      constexpr bool is_number =
          std::is_integral_v<std::remove_cvref_t<call_result<Number, typename In::key_type, typename In::value_type>>>;
      static_assert(is_number, "flow: partition_by needs a function that returns an integer");
      return is_number;
    } else {
      return false;
    }
  }
};

/// Writes the records to a topic: by its name, by a pattern with {topic} and {source} for the name of the topic and
/// the cluster that a record came from, as a `topic` with codecs of its own, or by a function that returns the name.
template <typename Where = std::nullptr_t>
auto to(Where where = {}, to_options how = {}) {
  return to_op<kept_t<Where>, by_rule>{std::move(where), std::move(how)};
}
template <typename Where>
auto to(label name, Where where, to_options how = {}) {
  return to_op<kept_t<Where>, by_rule>{name, std::move(where), std::move(how)};
}

}  // namespace flow
