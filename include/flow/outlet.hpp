#pragma once

#include <cstdint>

#include <flow/partition.hpp>
#include <flow/plan.hpp>
#include <flow/topic.hpp>
#include <flow/wiring.hpp>

namespace flow {

/// True if the records of a stream can be written by codecs of their types; otherwise an error at the line of whoever
/// asked.
template <typename In>
consteval bool is_writable() {
  if constexpr (have_codecs<typename In::key_type, typename In::value_type>()) {
    constexpr bool keys = can_encode<codec<typename coded<typename In::key_type>::type>, typename In::key_type>;
    constexpr bool values = can_encode<codec<typename coded<typename In::value_type>::type>, typename In::value_type>;
    static_assert(keys, "flow: the stream's key has no codec that encodes: specialise flow::codec<K>, or map it first");
    static_assert(values,
                  "flow: the stream's value has no codec that encodes: specialise flow::codec<V>, or map it first");
    return keys && values;
  } else {
    return false;
  }
}

/// A sink's `next`: the way out of the graph, to all clusters of that sink.
template <typename In>
class outlet {
 public:
  using input = In;

  explicit outlet(wiring::opening& at) : way_{&at.way()}, sink_{at.sink()} {}

  /// Appends an emission that keeps the record's partition; `topic` counts for `naming::by_record` only. What nobody
  /// wrote goes out as it came. The reference is valid until the next call.
  template <typename K, typename V>
  emission& emit(const record<K, V>& r, const codings<K, V>& how, bytes topic = {}) {
    const bytes key = leave(r.key_slot(), how.keys(), "key");
    const bytes value = leave(r.value_slot(), how.values(), "value");
    return way_->out->emplace_back(emission{.sink = sink_,
                                            .partition = r.origin().partition,
                                            .timestamp = r.timestamp(),
                                            .topic = way_->written->keep(topic),
                                            .key = key,
                                            .value = value,
                                            .headers = r.headers(),
                                            .number = way_->turn});
  }

  /// What `automatic` means for this stream.
  static constexpr bool keeps_partition(partition rule) {
    return rule == kept || (rule == automatic && In::placed == placement::by_key);
  }
  static void place(emission& e, partition rule) {
    if (!keeps_partition(rule)) place_by_key(e);
  }

  /// False while no lane wants this sink's records.
  bool is_open() const { return !way_->closed && (way_->active >> sink_ & 1) != 0; }
  void begin() {}
  bool is_used() const { return true; }

 private:
  template <typename T, typename How>
  bytes leave(const slot<T>& what, const How& how, std::string_view part) {
    if (what.is_received()) return what.received();
    way_->room.clear();
    return way_->written->keep(how.encode(what.get(part), way_->room));
  }

  wiring::passage* way_;
  std::uint32_t sink_;
};

}  // namespace flow
