#pragma once

#include <type_traits>
#include <utility>

#include <flow/op.hpp>

namespace flow {

/// What `map` returns. Headers, timestamp and order are kept, and the key unless `f` gives another.
template <typename F>
struct map_op : op<map_op<F>> {
  static constexpr std::string_view verb = "map";

  explicit map_op(F f) : f{std::move(f)} {}
  map_op(label name, F f) : op<map_op>{name}, f{std::move(f)} {}

  template <typename In>
  static consteval auto out() {
    if constexpr (is_function_for<F, typename In::key_type, typename In::value_type>()) {
      return made_of<In, call_result<F, typename In::key_type, typename In::value_type>>();
    } else {
      return poisoned{};
    }
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto& next) const {
    next(remade(std::move(r), call(f, r)));
  }

  void captures(auto see) const { see(f); }

  F f;
};

/// Gives each record the value that `f(value)`, `f(key, value)` or `f(record)` returns, or, if that is a `keyed`, a new
/// key too; then equal keys need no longer be in one partition.
template <typename F>
map_op<F> map(F f) {
  return map_op<F>{std::move(f)};
}
template <typename F>
map_op<F> map(label name, F f) {
  return {name, std::move(f)};
}

}  // namespace flow
