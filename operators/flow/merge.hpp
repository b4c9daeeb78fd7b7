#pragma once

#include <memory>
#include <type_traits>

#include <flow/stream.hpp>

namespace flow {
namespace wiring {

/// No node at run time: its inputs feed what stands behind it.
template <typename K, typename V>
class merge_blueprint final : public blueprint {
 public:
  anchor& open(opening& at) const override { return at.target<K, V>(0); }
};

}  // namespace wiring

/// One stream of the records of several, each in its own order. Keys are placed as in all of them, or scattered.
template <typename K, typename V, placement First, typename... Others>
auto merge(stream<K, V, First> first, const Others&... others) {
  constexpr bool alike = (std::is_base_of_v<stream<K, V, placement::by_key>, Others> && ...);
  constexpr bool same_types = ((std::is_base_of_v<stream<K, V, placement::by_key>, Others> ||
                                std::is_base_of_v<stream<K, V, placement::scattered>, Others>)&&...);
  static_assert(same_types, "flow: merge joins streams of the same key and value types; map them to one type first");
  static_assert(sizeof...(Others) > 0, "flow: merge needs at least two streams");
  if constexpr (same_types) {
    using out = stream<K, V, alike && First == placement::by_key ? placement::by_key : placement::scattered>;
    const bool is_one_topology = ((&others.draft() == &first.draft()) && ...);
    if (!is_one_topology)
      first.draft().report("merge joins streams of different topologies", "make all of them from one topology");
    const wiring::port inputs[] = {first.port(), is_one_topology ? others.port() : first.port()...};
    return out{first.draft(),
               {first.draft().add({.verb = "merge"}, inputs, std::make_unique<wiring::merge_blueprint<K, V>>()), 0}};
  } else {
    return poisoned{};
  }
}

/// After a mistake that has been reported.
template <typename... Others>
poisoned merge(poisoned, const Others&...) {
  return {};
}

}  // namespace flow
