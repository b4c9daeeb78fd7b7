#pragma once

#include <concepts>
#include <string>
#include <utility>

#include <flow/op.hpp>

namespace flow {

/// What `filter` returns. Records pass as they are, in their order; those held back are counted as dropped.
template <typename Predicate>
struct filter_op : op<filter_op<Predicate>> {
  static constexpr std::string_view verb = "filter";

  explicit filter_op(Predicate keep) : keep{std::move(keep)} {}
  filter_op(label name, Predicate keep) : op<filter_op>{name}, keep{std::move(keep)} {}

  template <typename In>
  static consteval auto out() {
    if constexpr (is_predicate_for<Predicate, typename In::key_type, typename In::value_type>()) {
      return In{};
    } else {
      return poisoned{};
    }
  }

  void operator()(auto&& r, auto& next) const {
    if (call(keep, r)) next(std::move(r));
  }

  void captures(auto see) const { see(keep); }
  /// A predicate that can be printed, as a rule can.
  std::string note() const {
    if constexpr (requires { std::string{to_string(keep)}; }) return to_string(keep);
    return {};
  }

  Predicate keep;
};

/// Lets through the records for which `keep(value)`, `keep(key, value)` or `keep(record)` is true.
template <typename Predicate>
filter_op<Predicate> filter(Predicate keep) {
  return filter_op<Predicate>{std::move(keep)};
}
template <typename Predicate>
filter_op<Predicate> filter(label name, Predicate keep) {
  return {name, std::move(keep)};
}

}  // namespace flow
