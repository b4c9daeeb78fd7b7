#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

#include <flow/op.hpp>

namespace flow {

/// What `as` returns.
template <typename T>
struct as_op : op<as_op<T>> {
  static constexpr std::string_view verb = "as";

  using op<as_op>::op;

  /// Nothing fails here: bytes are decoded where somebody looks.
  template <typename... Policy>
  as_op on_failure(const Policy&...) && {
    static_assert(never<Policy...>, "flow: as<T> only promises; what cannot be decoded is for the source's on_failure");
    return std::move(*this);
  }

  template <typename In>
  static consteval auto out() {
    constexpr bool reads_bytes = std::same_as<typename In::value_type, bytes>;
    constexpr bool is_readable = can_decode<codec<typename coded<T>::type>, T>;
    static_assert(reads_bytes,
                  "flow: as<T> reads bytes, and this stream's values are more than that already; map them");
    static_assert(is_readable || !reads_bytes, "flow: as<T> needs a codec that reads a T: specialise flow::codec<T>");
    if constexpr (reads_bytes && is_readable) {
      return shape<typename In::key_type, T, In::placed>{};
    } else {
      return poisoned{};
    }
  }

  template <typename K>
  void operator()(record<K, bytes>&& r, auto& next) const {
    const slot<bytes>& value = r.value_slot();
    // What an operator has made may be gone when the record leaves.
    const bytes raw = value.is_received() ? value.received() : next.written().keep(value.get("value"));
    next(record<K, T>{r.key_slot(), slot<T>{raw, default_coding<T>}, r.timestamp(), r.headers(), r.origin()});
  }
};

/// Looks at bytes as at a T, by `codec<T>`: decoded when somebody looks, and forwarded byte for byte by a sink if
/// nobody has put another value in their place. Null is `std::nullopt` of an optional. What is no T is undecodable, and
/// the policy of the source decides about it. Keeps order, key, headers and timestamp.
template <typename T>
as_op<T> as() {
  return as_op<T>{};
}
template <typename T>
as_op<T> as(label name) {
  return as_op<T>{name};
}

/// An `as` whose type was forgotten.
template <typename... None>
requires(sizeof...(None) == 0) as_op<bytes> as() {
  static_assert(never<None...>, "flow: as needs the type that bytes are looked at as: as<order>()");
  return as_op<bytes>{};
}

}  // namespace flow
