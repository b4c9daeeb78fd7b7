#pragma once

#include <concepts>
#include <utility>

#include <flow/op.hpp>
#include <flow/plan.hpp>

namespace flow {

/// What `collect` returns: a sink that writes to no topic.
template <typename Container>
struct collect_op : op<collect_op<Container>> {
  static constexpr std::string_view verb = "collect";
  using item = typename Container::value_type;

  explicit collect_op(Container& into) : into{&into} {}
  collect_op(label name, Container& into) : op<collect_op>{name}, into{&into} {}

  template <typename In>
  static consteval auto out() {
    constexpr bool fits = std::constructible_from<item, const typename In::value_type&> ||
                          std::same_as<item, keyed<typename In::key_type, typename In::value_type>>;
    constexpr bool grows = requires(Container & into, item each) {
      into.insert(into.end(), std::move(each));
    };
    static_assert(fits, "flow: collect needs a container of the stream's values, or of keyed<K, V>");
    static_assert(grows, "flow: collect adds to its container, so that is neither const nor of a fixed size");
    if constexpr (fits && grows) {
      return ends{};
    } else {
      return poisoned{};
    }
  }

  template <typename In>
  sink_spec sink() const {
    return {.clusters = {std::string{home}}, .names = sink_spec::naming::nowhere};
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto&) const {
    if constexpr (std::same_as<item, keyed<K, V>>) {
      into->insert(into->end(), item{r.key(), r.value()});
    } else {
      into->insert(into->end(), item(r.value()));
    }
  }

  void captures(auto see) const { see(into); }

  Container* into;
};

/// Adds each value, or each `keyed` of key and value, to a container, which has to outlive the graph. For tests and for
/// bounded sources: one thread, nothing is locked.
template <typename Container>
collect_op<Container> collect(Container& into) {
  return collect_op<Container>{into};
}
template <typename Container>
collect_op<Container> collect(label name, Container& into) {
  return {name, into};
}

}  // namespace flow
