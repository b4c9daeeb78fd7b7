#pragma once

#include <chrono>
#include <string>
#include <type_traits>
#include <utility>

#include <flow/op.hpp>
#include <flow/plan.hpp>

namespace flow {

template <typename Id>
struct dedup_op : op<dedup_op<Id>> {
  static constexpr std::string_view verb = "dedup";

  dedup_op(label name, Id id, std::chrono::milliseconds window)
      : op<dedup_op>{name}, id{std::move(id)}, window{window} {}

  template <typename In>
  static consteval auto out() {
    if constexpr (is_function_for<Id, typename In::key_type, typename In::value_type>()) {
      constexpr bool is_an_id = makes_what_is_written<Id, typename In::key_type, typename In::value_type>;
      static_assert(is_an_id,
                    "flow: dedup needs an id that a codec can write: bytes, text, a number, or your own codec");
      if constexpr (is_an_id) {
        return In{};
      } else {
        return poisoned{};
      }
    } else {
      return poisoned{};
    }
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto& next, const auto& memory) const {
    const kept_t<call_result<Id, K, V>> made = call(id, r);
    std::string room;
    if (!memory.has_seen(encoded(made, room), r.timestamp())) next(std::move(r));
  }

  dedup_spec dedup() const {
    dedup_spec spec{.window = window};
    if constexpr (requires { spec.id = id.text(); }) spec.id = id.text();
    return spec;
  }
  void captures(auto see) const { see(id); }

  Id id;
  std::chrono::milliseconds window;
};

/// Lets a record through unless one with the same id was there before: at an earlier offset of its source partition, at
/// most `window` apart in event time (the records' timestamps), in either order. What was dropped counts as having been
/// there. The id is what `id(value)`, `id(key, value)` or `id(record)` returns, be it optional; a record whose id is
/// none, null or empty gets through and is counted. Ids of different source partitions have nothing to do with each
/// other.
///
/// Keeps order, key, timestamp, and about 22 bytes for each id of the window, in memory and in the state directory; past
/// `app_options::dedup_memory` it is 0.6 in memory, and more on disk. The verdict is a function of the source alone, so no
/// crash, replay or rebuild lets a repetition through or drops an event. What the state directory has lost is read again
/// from the source, which has to keep it for the window and the time that a target may be away. The name stands on disk,
/// so it is required. An `id` that has a `text()`, as `json::at("/id")` has, may change under the same name: what came
/// before is read again by the new one. When a function changes what it returns, give the dedup another name.
template <typename Id>
dedup_op<Id> dedup(label name, Id id, std::chrono::milliseconds window) {
  return {name, std::move(id), window};
}

/// A dedup of which something was forgotten.
template <typename... Given>
requires(sizeof...(Given) != 3) poisoned dedup(const Given&...) {
  static_assert(never<Given...>,
                "flow: dedup needs a name first, since it stands on disk, an id and a window: "
                "dedup(\"seen\", &event::id, 24h)");
  return {};
}

}  // namespace flow
