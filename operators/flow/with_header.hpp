#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <type_traits>
#include <utility>

#include <flow/op.hpp>
#include <flow/wire.hpp>

namespace flow {

/// What `with_header` returns. Key, value, timestamp, order and the other headers are kept.
template <typename Value>
struct with_header_op : op<with_header_op<Value>> {
  static constexpr std::string_view verb = "with_header";

  with_header_op(std::string key, Value value) : key{std::move(key)}, value{std::move(value)} {}
  with_header_op(label name, std::string key, Value value)
      : op<with_header_op>{name}, key{std::move(key)}, value{std::move(value)} {}

  template <typename In>
  static consteval auto out() {
    static_assert(is_text || may_be_function<Value>,
                  "flow: with_header needs the header's value: text, or a function of the record");
    if constexpr (is_text) {
      return In{};
    } else if constexpr (!may_be_function<Value>) {
      return poisoned{};
    } else if constexpr (is_function_for<Value, typename In::key_type, typename In::value_type>()) {
      constexpr bool is_writable = makes_what_is_written<Value, typename In::key_type, typename In::value_type>;
      static_assert(is_writable,
                    "flow: with_header needs a value that a codec can write: bytes, text, a number, or your own codec");
      if constexpr (is_writable) {
        return In{};
      } else {
        return poisoned{};
      }
    } else {
      return poisoned{};
    }
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto& next) const {
    arena& written = next.written();
    if constexpr (is_text) {
      next(add(std::move(r), bytes{value}, written));
    } else {
      const kept_t<call_result<Value, K, V>> made = call(value, r);
      std::string room;
      next(add(std::move(r), encoded(made, room), written));
    }
  }

  void captures(auto see) const { see(value); }

  std::string key;
  Value value;

 private:
  static constexpr bool is_text = std::is_convertible_v<const Value&, bytes>;

  template <typename K, typename V>
  record<K, V> add(record<K, V>&& r, bytes content, arena& written) const {
    const std::size_t count = r.headers().size() + 1;
    auto* const all = new (written.allocate(count * sizeof(header))) header[count];
    std::ranges::copy(r.headers(), all);
    all[count - 1] = {written.keep(bytes{key}).view(), written.keep(content)};
    return std::move(r).with_headers({all, count});
  }
};

/// Adds a header behind those that the record has, of which others may have the same key. Its value is a text, or what
/// `value(value)`, `value(key, value)` or `value(record)` returns, as its codec writes it; `std::nullopt` is null.
/// Headers that begin with `flow.` are those of dead letters.
template <typename Value>
with_header_op<kept_t<Value>> with_header(std::string key, Value value) {
  return {std::move(key), std::move(value)};
}
template <typename Value>
with_header_op<kept_t<Value>> with_header(label name, std::string key, Value value) {
  return {name, std::move(key), std::move(value)};
}

/// A header whose key was forgotten.
template <typename Value>
with_header_op<kept_t<Value>> with_header(Value value) {
  static_assert(never<Value>,
                "flow: with_header needs the header's key first: with_header(\"tenant\", &order::tenant)");
  return {{}, std::move(value)};
}

}  // namespace flow
