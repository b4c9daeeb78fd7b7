#pragma once

#include <ranges>
#include <type_traits>
#include <utility>
#include <vector>

#include <flow/op.hpp>

namespace flow {

/// What `flat_map` returns. What comes of one record has its headers and timestamp, its key unless it is `keyed`, and
/// stands in the order of the range where the record stood.
template <typename F>
struct flat_map_op : op<flat_map_op<F>> {
  static constexpr std::string_view verb = "flat_map";

  explicit flat_map_op(F f) : f{std::move(f)} {}
  flat_map_op(label name, F f) : op<flat_map_op>{name}, f{std::move(f)} {}

  template <typename In>
  static consteval auto out() {
    if constexpr (is_function_for<F, typename In::key_type, typename In::value_type>()) {
      using result = call_result<F, typename In::key_type, typename In::value_type>;
      constexpr bool is_range = std::ranges::input_range<result>;
      static_assert(is_range, "flow: flat_map needs a function that returns a range; map takes single results");
      if constexpr (is_range) {
        return made_of<In, std::ranges::range_value_t<result>>();
      } else {
        return poisoned{};
      }
    } else {
      return poisoned{};
    }
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto& next) const {
    using result = call_result<F, K, V>;
    result items = call(f, r);
    if constexpr (std::ranges::contiguous_range<result>) {
      for (auto& item : items) next(remade(std::as_const(r), item));
    } else {
      // A lazy range is user code in every step, and all of that comes before the first record that leaves.
      std::vector<kept_t<std::ranges::range_value_t<result>>> all;
      for (auto&& item : items) all.emplace_back(std::forward<decltype(item)>(item));
      for (auto& item : all) next(remade(std::as_const(r), std::move(item)));
    }
  }

  void captures(auto see) const { see(f); }

  F f;
};

/// Makes any number of records of one: `f` returns a range of values, or of `keyed`.
template <typename F>
flat_map_op<F> flat_map(F f) {
  return flat_map_op<F>{std::move(f)};
}
template <typename F>
flat_map_op<F> flat_map(label name, F f) {
  return {name, std::move(f)};
}

}  // namespace flow
