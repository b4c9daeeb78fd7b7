#pragma once

#include <concepts>
#include <functional>
#include <string>
#include <type_traits>
#include <utility>

#include <flow/record.hpp>

/// How user code is called: with the value, with (key, value), or with the record, the first of these that it accepts.
/// Members stand for functions of the value. One copy serves all threads, so it is called as const.
namespace flow {

/// False for numbers, texts and the like.
template <typename F>
inline constexpr bool may_be_function =
    std::is_class_v<F> || std::is_member_pointer_v<F> || std::is_function_v<std::remove_pointer_t<F>>;

/// True if F can be called for the records of a stream. If not, that is an error at the line of whoever asked.
template <typename F, typename K, typename V>
consteval bool is_callable_for() {
  constexpr bool at_all = std::disjunction_v<std::is_invocable<F&, const V&>, std::is_invocable<F&, const K&, const V&>,
                                             std::is_invocable<F&, const record<K, V>&>>;
  constexpr bool as_const =
      std::disjunction_v<std::is_invocable<const F&, const V&>, std::is_invocable<const F&, const K&, const V&>,
                         std::is_invocable<const F&, const record<K, V>&>>;
  static_assert(may_be_function<F>, "flow: a function of the record belongs here, or a member of its value");
  static_assert(at_all || !may_be_function<F>,
                "flow: the function takes neither the value of this stream, nor (key, value), nor the record");
  static_assert(as_const || !at_all,
                "flow: all threads share this function, so it is called as const: leave out `mutable`");
  return as_const;
}

template <typename F, typename K, typename V>
decltype(auto) call(const F& f, const record<K, V>& r) {
  if constexpr (std::is_invocable_v<const F&, const V&>) {
    return std::invoke(f, r.value());
  } else if constexpr (std::is_invocable_v<const F&, const K&, const V&>) {
    return std::invoke(f, r.key(), r.value());
  } else {
    return std::invoke(f, r);
  }
}

template <typename F, typename K, typename V>
using call_result = decltype(call(std::declval<const F&>(), std::declval<const record<K, V>&>()));

/// The same for functions that have to return something, and for those that decide.
template <typename F, typename K, typename V>
consteval bool is_function_for() {
  if constexpr (is_callable_for<F, K, V>()) {
    constexpr bool returns = !std::is_void_v<call_result<F, K, V>>;
    static_assert(returns, "flow: the function returns nothing; peek and for_each are for looking at records");
    return returns;
  } else {
    return false;
  }
}

template <typename F, typename K, typename V>
consteval bool is_predicate_for() {
  if constexpr (is_callable_for<F, K, V>()) {
    constexpr bool decides = std::is_convertible_v<call_result<F, K, V>, bool>;
    static_assert(decides, "flow: the predicate does not return a bool");
    return decides;
  } else {
    return false;
  }
}

/// A result as a record keeps it: by value, text as a string.
template <typename T>
struct kept_as {
  using type = std::remove_cvref_t<T>;
};
template <typename T>
requires std::same_as < std::decay_t<T>,
const char* > || std::same_as<std::decay_t<T>, char*> struct kept_as<T> { using type = std::string; };
template <typename T>
using kept_t = typename kept_as<T>::type;

/// What F makes of a record is something that the codec of its type can write.
template <typename F, typename K, typename V, typename Made = kept_t<call_result<F, K, V>>>
inline constexpr bool makes_what_is_written = can_encode<codec<typename coded<Made>::type>, Made>;

template <typename T>
inline constexpr bool is_keyed = false;
template <typename K, typename V>
inline constexpr bool is_keyed<keyed<K, V>> = true;

}  // namespace flow
