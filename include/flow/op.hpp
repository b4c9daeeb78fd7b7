#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <flow/call.hpp>
#include <flow/label.hpp>
#include <flow/policy.hpp>
#include <flow/record.hpp>

/// What an operator is made of. One of your own is a struct derived from `op<itself>` with
///
///     static constexpr std::string_view verb = "double";       // for describe() and for nodes without a name
///     template <typename In> static consteval auto out();      // checks In and says what comes out: a shape,
///                                                              // branches, ends, or poisoned after a failed check
///     void operator()(auto&& record, auto& next) const;        // next(std::move(record)) any number of times
///
/// An operator calls all user code before its first `next`, so that a failure leaves nothing behind. It may throw: its
/// policy decides about the record. The object is shared by all threads. What a record is to look at, headers or bytes,
/// is kept in `next.written()`.
namespace flow {

/// False, for checks that nothing can pass.
template <typename...>
inline constexpr bool never = false;

/// Whether equal keys are known to be in one partition.
enum class placement {
  by_key,    ///< as the source's producers placed them
  scattered  ///< the key has changed since
};

/// What flows through a stream.
template <typename K, typename V, placement Placed>
struct shape {
  using key_type = K;
  using value_type = V;
  static constexpr placement placed = Placed;
  using record_type = record<K, V>;
};

/// Several streams of one shape; `next(i, record)` feeds the i-th.
template <typename Shape, std::size_t N>
struct branches {};

/// Nothing: the operator is a sink. It has `sink_spec sink<In>() const`, and its `next` is an `outlet`.
struct ends {};

/// What comes back: the operator is a sink of `naming::own`, and behind it the stream goes on with what a source reads
/// of that topic.
template <typename K, typename V, placement Placed>
struct through {};

/// What comes out of an operator whose check failed. Every further operator accepts it in silence, so that one mistake
/// gives one message.
struct poisoned {
  poisoned on_failure(const auto&...) const { return {}; }
};

/// What a function that returns an R makes of records of shape In; an error at the line of whoever asked if it is
/// nothing that a record can hold.
template <typename In, typename R>
consteval auto made_of() {
  using kept = kept_t<R>;
  constexpr bool is_value = std::is_copy_constructible_v<kept> && std::is_object_v<kept>;
  static_assert(is_value, "flow: a record's value has to be copyable, since several operators may read one stream");
  if constexpr (!is_value) {
    return poisoned{};
  } else if constexpr (is_keyed<kept>) {
    return shape<decltype(kept::key), decltype(kept::value), placement::scattered>{};
  } else {
    return shape<typename In::key_type, kept, In::placed>{};
  }
}

/// That record, made of `r` and what the function returned.
template <typename Record, typename R>
auto remade(Record&& r, R&& result) {
  using kept = kept_t<R>;
  if constexpr (is_keyed<kept>) {
    return r.with(std::forward<R>(result).key, std::forward<R>(result).value);
  } else {
    return std::forward<Record>(r).with_value(kept(std::forward<R>(result)));
  }
}

/// What is common to all operators: a name and a policy.
template <typename Self>
class op {
 public:
  op() = default;
  explicit op(label name) : name_{name.text()} {}

  /// What becomes of records for which this operator fails; otherwise the topology's default.
  Self on_failure(policy what) && {
    policy_ = std::move(what);
    return std::move(static_cast<Self&>(*this));
  }
  template <typename... T>
  requires(sizeof...(T) != 1 || !(std::is_convertible_v<const T&, policy> && ...)) Self on_failure(const T&...) && {
    static_assert(never<T...>, "flow: on_failure takes a policy: stop, skip, retry(5), dead_letter(\"{topic}.dlq\")");
    return std::move(static_cast<Self&>(*this));
  }

  /// Empty if it was given none.
  const std::string& name() const { return name_; }
  const std::optional<policy>& own_policy() const { return policy_; }

 protected:
  /// Takes over name and policy of an operator that this one is made from.
  template <typename Other>
  void inherit(const op<Other>& other) {
    name_ = other.name();
    policy_ = other.own_policy();
  }

 private:
  std::string name_;
  std::optional<policy> policy_;
};

/// What comes out of an operator; an error at the line of whoever asked if a part of it is missing.
template <typename Op, typename In>
consteval auto out_of() {
  constexpr bool has_verb = requires {
    std::string_view{Op::verb};
  };
  constexpr bool has_out = requires {
    &Op::template out<In>;
  };
  static_assert(has_verb, "flow: an operator has `static constexpr std::string_view verb`");
  static_assert(has_out, "flow: an operator has `template <typename In> static consteval auto out()`");
  if constexpr (has_verb && has_out) {
    return Op::template out<In>();
  } else {
    return poisoned{};
  }
}

template <typename T>
inline constexpr bool is_operator = std::is_base_of_v<op<T>, T>;

}  // namespace flow
