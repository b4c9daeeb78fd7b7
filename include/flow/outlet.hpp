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

/// True if records of these types can be read by codecs of their types; otherwise an error at the line of whoever
/// asked.
template <typename K, typename V>
consteval bool comes_back() {
  if constexpr (have_codecs<K, V>()) {
    constexpr bool keys = can_decode<codec<typename coded<K>::type>, typename coded<K>::type>;
    constexpr bool values = can_decode<codec<typename coded<V>::type>, typename coded<V>::type>;
    static_assert(keys, "flow: what goes through a topic is read again: the codec of its keys has to decode them");
    static_assert(values, "flow: what goes through a topic is read again: the codec of its values has to decode them");
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
    return emit(r, leave(r.key_slot(), how.keys(), "key"), leave(r.value_slot(), how.values(), "value"), topic);
  }

  /// Likewise, for who reads it by these codecs: what has come by others is written anew.
  template <typename K, typename V>
  emission& emit_by(const record<K, V>& r, const codings<K, V>& how) {
    const auto bytes_of = [&](const auto& slot, const auto& coding, std::string_view part) {
      return slot.is_received_by(coding) ? slot.received() : written(slot.get(part), coding);
    };
    return emit(r, bytes_of(r.key_slot(), how.keys(), "key"), bytes_of(r.value_slot(), how.values(), "value"));
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
  template <typename K, typename V>
  emission& emit(const record<K, V>& r, bytes key, bytes value, bytes topic = {}) {
    return way_->out->emplace_back(emission{.sink = sink_,
                                            .partition = r.origin().partition,
                                            .timestamp = r.timestamp(),
                                            .topic = way_->written->keep(topic),
                                            .key = key,
                                            .value = value,
                                            .headers = r.headers(),
                                            .number = way_->turn});
  }

  template <typename T>
  bytes leave(const slot<T>& what, const coding<T>& how, std::string_view part) {
    return what.is_received() ? what.received() : written(what.get(part), how);
  }
  template <typename T>
  bytes written(const T& value, const coding<T>& how) {
    way_->room.clear();
    return way_->written->keep(how.encode(value, way_->room));
  }

  wiring::passage* way_;
  std::uint32_t sink_;
};

}  // namespace flow
