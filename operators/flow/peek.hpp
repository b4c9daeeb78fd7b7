#pragma once

#include <utility>

#include <flow/op.hpp>

namespace flow {

/// What `peek` returns. Records pass as they are, in their order.
template <typename F>
struct peek_op : op<peek_op<F>> {
  static constexpr std::string_view verb = "peek";

  explicit peek_op(F f) : f{std::move(f)} {}
  peek_op(label name, F f) : op<peek_op>{name}, f{std::move(f)} {}

  template <typename In>
  static consteval auto out() {
    if constexpr (is_callable_for<F, typename In::key_type, typename In::value_type>()) {
      return In{};
    } else {
      return poisoned{};
    }
  }

  void operator()(auto&& r, auto& next) const {
    call(f, r);
    next(std::move(r));
  }

  void captures(auto see) const { see(f); }

  F f;
};

/// Calls `f` for each record and passes the record on. `f` runs once per reader and again after every replay.
template <typename F>
peek_op<F> peek(F f) {
  return peek_op<F>{std::move(f)};
}
template <typename F>
peek_op<F> peek(label name, F f) {
  return {name, std::move(f)};
}

}  // namespace flow
