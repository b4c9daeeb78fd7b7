#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <flow/op.hpp>

namespace flow {

/// One way out of a `split`.
template <typename Predicate>
struct branch {
  std::string name;
  Predicate takes;
};

/// The way out for what no other branch takes; it looks at nothing.
struct otherwise_t {
  template <typename K, typename V>
  constexpr bool operator()(const record<K, V>&) const {
    return true;
  }
};

/// The way out for records for which `takes(value)`, `takes(key, value)` or `takes(record)` is true.
template <typename Predicate>
branch<Predicate> when(label name, Predicate takes) {
  return {std::string{name.text()}, std::move(takes)};
}

/// A branch whose name was forgotten.
template <typename Predicate>
branch<Predicate> when(Predicate takes) {
  static_assert(never<Predicate>, "flow: when needs the branch's name first: when(\"large\", is_large)");
  return {{}, std::move(takes)};
}

/// The way out for all that no branch before it takes; stands last.
inline branch<otherwise_t> otherwise(label name) {
  return {std::string{name.text()}, {}};
}

/// What `split` returns. Records pass as they are, in their order within each branch.
template <typename... Predicates>
struct split_op : op<split_op<Predicates...>> {
  static constexpr std::string_view verb = "split";
  static constexpr std::size_t size = sizeof...(Predicates);

  explicit split_op(branch<Predicates>... ways) : ways{std::move(ways)...} {}
  split_op(label name, branch<Predicates>... ways) : op<split_op>{name}, ways{std::move(ways)...} {}

  template <typename In>
  static consteval auto out() {
    constexpr bool has_branches = size > 0;
    constexpr bool is_in_order = is_ordered();
    static_assert(has_branches, "flow: split needs branches: split(when(\"large\", is_large), otherwise(\"rest\"))");
    static_assert(is_in_order, "flow: otherwise takes what is left, so it stands once and last");
    if constexpr (has_branches && is_in_order &&
                  (is_predicate_for<Predicates, typename In::key_type, typename In::value_type>() && ...)) {
      return branches<In, size>{};
    } else {
      return std::array < poisoned, has_branches ? size : 1 > {};
    }
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto& next) const {
    const std::size_t way = choose(r, std::make_index_sequence<size>{});
    if (way < size) next(way, std::move(r));
  }

  std::vector<std::string> ports() const {
    return std::apply([](const auto&... way) { return std::vector<std::string>{way.name...}; }, ways);
  }

  void captures(auto see) const {
    std::apply([&](const auto&... way) { (see(way.takes), ...); }, ways);
  }

  std::tuple<branch<Predicates>...> ways;

 private:
  template <typename R, std::size_t... I>
  std::size_t choose(const R& r, std::index_sequence<I...>) const {
    std::size_t way = size;
    (void)((call(std::get<I>(ways).takes, r) && (way = I, true)) || ...);
    return way;
  }

  static consteval bool is_ordered() {
    constexpr bool others[] = {std::is_same_v<Predicates, otherwise_t>..., false};
    for (std::size_t i = 0; i + 1 < size; ++i)
      if (others[i]) return false;
    return true;
  }
};

/// A stream for each branch; a record goes to the first that takes it, and nowhere if none does:
///
///     auto [large, rest] = orders | split(when("large", is_large), otherwise("rest"));
template <typename... Predicates>
split_op<Predicates...> split(branch<Predicates>... ways) {
  return split_op<Predicates...>{std::move(ways)...};
}
template <typename... Predicates>
split_op<Predicates...> split(label name, branch<Predicates>... ways) {
  return {name, std::move(ways)...};
}

}  // namespace flow
