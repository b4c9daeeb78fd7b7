#pragma once

#include <utility>

#include <flow/op.hpp>
#include <flow/plan.hpp>

namespace flow {

/// What `for_each` returns: a sink that writes to no topic; its position is kept on home.
template <typename F>
struct for_each_op : op<for_each_op<F>> {
  static constexpr std::string_view verb = "for_each";

  explicit for_each_op(F f) : f{std::move(f)} {}
  for_each_op(label name, F f) : op<for_each_op>{name}, f{std::move(f)} {}

  template <typename In>
  static consteval auto out() {
    if constexpr (is_callable_for<F, typename In::key_type, typename In::value_type>()) {
      return ends{};
    } else {
      return poisoned{};
    }
  }

  template <typename In>
  sink_spec sink() const {
    return {.clusters = {std::string{home}}, .names = sink_spec::naming::nowhere};
  }

  void operator()(auto&& r, auto&) const { call(f, r); }

  void captures(auto see) const { see(f); }

  F f;
};

/// Calls `f` for each record, at least once: again for those whose position was not committed before a crash, for those
/// that a `stop` further on sent back, and for those that are tried again or bring calls of a `process`.
template <typename F>
for_each_op<F> for_each(F f) {
  return for_each_op<F>{std::move(f)};
}
template <typename F>
for_each_op<F> for_each(label name, F f) {
  return {name, std::move(f)};
}

}  // namespace flow
