#pragma once

#include <type_traits>
#include <utility>

#include <flow/op.hpp>

namespace flow {

/// The caller's promise that records of one new key are in one partition already.
struct colocated_t {};
inline constexpr colocated_t colocated{};

/// What `key_by` returns. Value, headers, timestamp and order are kept.
template <typename F, placement Placed>
struct key_by_op : op<key_by_op<F, Placed>> {
  static constexpr std::string_view verb = "key_by";

  explicit key_by_op(F f) : f{std::move(f)} {}
  key_by_op(label name, F f) : op<key_by_op>{name}, f{std::move(f)} {}

  template <typename In>
  static consteval auto out() {
    using value_type = typename In::value_type;
    if constexpr (is_function_for<F, typename In::key_type, value_type>()) {
      using key_type = kept_t<call_result<F, typename In::key_type, value_type>>;
      constexpr placement placed = In::placed == placement::scattered ? In::placed : Placed;
      return shape<key_type, value_type, placed>{};
    } else {
      return poisoned{};
    }
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto& next) const {
    kept_t<call_result<F, K, V>> key = call(f, r);
    next(std::move(r).with_key(std::move(key)));
  }

  void captures(auto see) const { see(f); }

  F f;
};

/// Gives each record the key that `f` makes of it; `f` may be a member of the value. Equal keys need no longer be in
/// one partition, unless the caller says so with `colocated`.
template <typename F>
key_by_op<F, placement::scattered> key_by(F f) {
  return key_by_op<F, placement::scattered>{std::move(f)};
}
template <typename F>
key_by_op<F, placement::scattered> key_by(label name, F f) {
  return {name, std::move(f)};
}
template <typename F>
key_by_op<F, placement::by_key> key_by(F f, colocated_t) {
  return key_by_op<F, placement::by_key>{std::move(f)};
}
template <typename F>
key_by_op<F, placement::by_key> key_by(label name, F f, colocated_t) {
  return {name, std::move(f)};
}

}  // namespace flow
