#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <flow/call.hpp>
#include <flow/policy.hpp>
#include <flow/stream.hpp>

namespace flow {
namespace wiring {

template <typename T>
inline constexpr bool is_time = std::integral<T> && !std::same_as<T, bool>;
template <typename Rep, typename Period>
inline constexpr bool is_time<std::chrono::duration<Rep, Period>> = true;
template <typename Duration>
inline constexpr bool is_time<std::chrono::time_point<std::chrono::system_clock, Duration>> = true;

template <std::integral T>
std::int64_t in_milliseconds(T time) {
  return static_cast<std::int64_t>(time);
}
template <typename Rep, typename Period>
std::int64_t in_milliseconds(std::chrono::duration<Rep, Period> time) {
  return std::chrono::floor<std::chrono::milliseconds>(time).count();
}
template <typename Duration>
std::int64_t in_milliseconds(std::chrono::time_point<std::chrono::system_clock, Duration> time) {
  return in_milliseconds(time.time_since_epoch());
}

template <typename F, typename K, typename V>
consteval bool is_time_for() {
  static_assert(may_be_function<F>, "flow: time needs a function of the record, or a member of its value");
  if constexpr (!may_be_function<F>) {
    return false;
  } else if constexpr (is_function_for<F, K, V>()) {
    constexpr bool tells_time = is_time<std::remove_cvref_t<call_result<F, K, V>>>;
    static_assert(tells_time,
                  "flow: time needs milliseconds since 1970 UTC, or a std::chrono time point of the system clock");
    return tells_time;
  } else {
    return false;
  }
}

}  // namespace wiring

/// Where a source takes the time of its records from: a function of the value, of key and value, or of the record, or a
/// member of the value, that is milliseconds since 1970 UTC or a time point of the system clock. None: from the records
/// themselves.
template <typename K, typename V>
class event_time {
 public:
  event_time() = default;
  template <typename F>
  requires(!std::same_as<F, event_time>) event_time(F of) {
    if constexpr (wiring::is_time_for<F, K, V>()) {
      wiring::add_words(words_, of);
      how_ = std::make_shared<const function<F>>(std::move(of));
    }
  }

  explicit operator bool() const { return how_ != nullptr; }
  /// Throws what the function does, and for a time before 1970, which Kafka does not know.
  std::int64_t of(const record<K, V>& r) const {
    const std::int64_t time = how_->of(r);
    if (time < 0) throw permanent_error{"its time is before 1970"};
    return time;
  }
  const std::vector<std::uintptr_t>& words() const { return words_; }

 private:
  struct any_function {
    virtual ~any_function() = default;
    virtual std::int64_t of(const record<K, V>& r) const = 0;
  };
  template <typename F>
  struct function final : any_function {
    explicit function(F what) : what{std::move(what)} {}
    std::int64_t of(const record<K, V>& r) const override { return wiring::in_milliseconds(call(what, r)); }
    F what;
  };

  std::shared_ptr<const any_function> how_;
  std::vector<std::uintptr_t> words_;
};

}  // namespace flow
