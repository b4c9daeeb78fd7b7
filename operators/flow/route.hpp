#pragma once

#include <concepts>
#include <string>
#include <type_traits>

#include <flow/call.hpp>
#include <flow/outlet.hpp>
#include <flow/plan.hpp>
#include <flow/topic.hpp>

namespace flow {

/// Where a sink's records go: by a name or pattern (`std::string`), to a `topic`, or as a function says.
template <typename Route>
struct route;

template <>
struct route<std::string> {
  template <typename In>
  static consteval bool fits() {
    return is_writable<In>();
  }
  static sink_spec spec(const std::string& name) {
    const bool is_pattern = name.find('{') != std::string::npos;
    return {.names = is_pattern ? sink_spec::naming::pattern : sink_spec::naming::fixed, .topic = name};
  }
  template <typename K, typename V>
  static emission& emit(const std::string&, const record<K, V>& r, auto& out) {
    return out.emit(r, default_codings<K, V>);
  }
};

template <typename K, typename V>
struct route<topic<K, V>> {
  template <typename In>
  static consteval bool fits() {
    constexpr bool is_reported = std::same_as<V, poisoned>;
    constexpr bool same_key = is_reported || std::same_as<K, typename In::key_type>;
    constexpr bool same_value = is_reported || std::same_as<V, typename In::value_type>;
    static_assert(same_key || same_value, "flow: the topic's key and value types are not the stream's");
    static_assert(same_key || !same_value, "flow: the topic's key type is not the stream's");
    static_assert(same_value || !same_key, "flow: the topic's value type is not the stream's");
    return same_key && same_value && !is_reported;
  }
  static sink_spec spec(const topic<K, V>& where) { return {.names = sink_spec::naming::fixed, .topic = where.name}; }
  static emission& emit(const topic<K, V>& where, const record<K, V>& r, auto& out) {
    return out.emit(r, where.codecs);
  }
};

template <typename F>
struct route {
  template <typename In>
  static consteval bool fits() {
    static_assert(may_be_function<F>,
                  "flow: to needs a topic's name, a topic<K, V>, or a function that returns a name");
    if constexpr (!may_be_function<F>) {
      return false;
    } else if constexpr (is_function_for<F, typename In::key_type, typename In::value_type>()) {
      constexpr bool is_name =
          std::is_convertible_v<call_result<F, typename In::key_type, typename In::value_type>, std::string>;
      static_assert(is_name, "flow: to needs a topic's name, a topic<K, V>, or a function that returns a name");
      if constexpr (is_name) return is_writable<In>();
    }
    return false;
  }
  static sink_spec spec(const F&) { return {.names = sink_spec::naming::by_record}; }
  template <typename K, typename V>
  static emission& emit(const F& name_of, const record<K, V>& r, auto& out) {
    const std::string name = call(name_of, r);
    check_topic_name(name);
    return out.emit(r, default_codings<K, V>, name);
  }
};

}  // namespace flow
