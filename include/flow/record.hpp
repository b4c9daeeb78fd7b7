#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <flow/bytes.hpp>
#include <flow/codec.hpp>
#include <flow/policy.hpp>
#include <flow/wire.hpp>

namespace flow {

/// What a function returns that gives a record a new key as well as a new value.
template <typename K, typename V>
struct keyed {
  K key;
  V value;

  bool operator==(const keyed&) const = default;
};

template <typename K, typename V>
keyed(K, V) -> keyed<K, V>;

/// Where a record was read. For a record of a range the cluster and the topic are empty.
struct origin {
  std::string_view cluster{};
  std::string_view topic{};
  std::int32_t partition = 0;
  std::int64_t offset = 0;
};

/// Bytes that are no value of the type that the topic promises. The source's policy decides about the record.
class undecodable : public permanent_error {
 public:
  using permanent_error::permanent_error;
};

/// Turns the exception that is being handled into an `undecodable` of the record's `part`.
[[noreturn]] void throw_undecodable(std::string_view part);

/// Types that look at memory of somebody else.
template <typename T>
inline constexpr bool is_view = std::is_same_v<T, bytes> || std::is_same_v<T, std::string_view>;

/// A key or a value: bytes as received, a value, or both. Bytes are decoded at first touch and are what a sink writes
/// as long as nobody has put another value in their place.
template <typename T>
class slot {
 public:
  slot(bytes raw, const coding<T>& how) : raw_{raw}, how_{&how} {}
  explicit slot(T value) : value_{std::move(value)} {}

  const T& get(std::string_view part) const {
    if (!value_) decode(part);
    return *value_;
  }
  bool is_received() const { return how_ != nullptr; }
  bool is_received_by(const coding<T>& how) const { return how_ == &how; }
  bytes received() const { return raw_; }

 private:
  void decode(std::string_view part) const {
    try {
      value_.emplace(how_->decode(raw_));
    } catch (...) {
      throw_undecodable(part);
    }
  }

  bytes raw_;
  const coding<T>* how_ = nullptr;
  mutable std::optional<T> value_;
};

template <>
class slot<bytes> {
 public:
  slot(bytes raw, const coding<bytes>&) : raw_{raw}, received_{true} {}
  explicit slot(bytes value) : raw_{value} {}

  const bytes& get(std::string_view) const { return raw_; }
  bool is_received() const { return received_; }
  bool is_received_by(const coding<bytes>&) const { return received_; }
  bytes received() const { return raw_; }

 private:
  bytes raw_;
  bool received_ = false;
};

/// What travels through a stream. Valid until the call that received it returns.
template <typename K, typename V>
class record {
 public:
  record(slot<K> key, slot<V> value, std::int64_t timestamp, std::span<const header> headers, const origin& from)
      : key_{std::move(key)}, value_{std::move(value)}, timestamp_{timestamp}, headers_{headers}, origin_{&from} {}

  /// Decoded when first asked for. Throws `undecodable`, which an operator does not catch.
  const K& key() const { return key_.get("key"); }
  const V& value() const { return value_.get("value"); }
  /// Milliseconds since 1970 UTC; -1 if it has none.
  std::int64_t timestamp() const { return timestamp_; }
  std::span<const header> headers() const { return headers_; }
  const flow::origin& origin() const { return *origin_; }

  const slot<K>& key_slot() const { return key_; }
  const slot<V>& value_slot() const { return value_; }

  /// The same record with another key, value, or both. What is new may look at this record, which has to stay alive.
  template <typename V2>
  record<K, V2> with_value(V2 value) && {
    return {pass_on<V2>(key_), slot<V2>{std::move(value)}, timestamp_, headers_, *origin_};
  }
  template <typename V2>
  record<K, V2> with_value(V2 value) const& {
    return {key_, slot<V2>{std::move(value)}, timestamp_, headers_, *origin_};
  }
  template <typename K2>
  record<K2, V> with_key(K2 key) && {
    return {slot<K2>{std::move(key)}, pass_on<K2>(value_), timestamp_, headers_, *origin_};
  }
  /// The same record at another time, or with other headers, which live as long as the record's own.
  record with_timestamp(std::int64_t timestamp) && {
    return {std::move(key_), std::move(value_), timestamp, headers_, *origin_};
  }
  record with_headers(std::span<const header> headers) && {
    return {std::move(key_), std::move(value_), timestamp_, headers, *origin_};
  }
  template <typename K2, typename V2>
  record<K2, V2> with(K2 key, V2 value) const {
    return {slot<K2>{std::move(key)}, slot<V2>{std::move(value)}, timestamp_, headers_, *origin_};
  }

 private:
  // A short string that moves takes its characters along, so what a new view looks at has to stay.
  template <typename New, typename Slot>
  static Slot pass_on(Slot& old) {
    if constexpr (is_view<New>) {
      return old;
    } else {
      return std::move(old);
    }
  }

  slot<K> key_;
  slot<V> value_;
  std::int64_t timestamp_;
  std::span<const header> headers_;
  const flow::origin* origin_;
};

}  // namespace flow
