#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <flow/op.hpp>
#include <flow/outlet.hpp>
#include <flow/wiring.hpp>

namespace flow {

/// A handle on a stream of a topology: cheap to copy, valid as long as the topology. Every stream has to be read by
/// an operator; it may be read by several.
template <typename K, typename V, placement Placed = placement::by_key>
class [[nodiscard("flow: a stream ends in to, fan_out or for_each")]] stream {
 public:
  using shape = flow::shape<K, V, Placed>;

  stream(wiring::draft & plan, wiring::port from) : draft_{&plan}, from_{from} {}
  /// Anything but a stream of the same types.
  template <typename Other>
  requires(!std::is_base_of_v<stream, Other>) stream& operator=(const Other&) {
    constexpr bool is_reported = std::is_same_v<Other, poisoned>;
    static_assert(is_reported,
                  "flow: this handle is on a stream of other types; give the new one a handle of its own: "
                  "auto renamed = ...");
    return *this;
  }

  wiring::draft& draft() const {
    return *draft_;
  }
  wiring::port port() const {
    return from_;
  }

 private:
  wiring::draft* draft_;
  wiring::port from_;
};

/// What is left behind a sink.
struct ended {};

namespace wiring {

/// A node's `next`: it moves a record on to whoever reads the stream.
template <typename In, typename Out>
class emitter;

template <typename In, typename K, typename V, placement Placed>
class emitter<In, shape<K, V, Placed>> {
 public:
  using input = In;

  explicit emitter(opening& at) : to_{&at.target<K, V>(0)}, way_{&at.way()} {}

  void operator()(record<K, V>&& r) {
    used_ = true;
    to_->push(std::move(r));
  }
  /// For what records are to look at that an operator makes: it lives until they have left.
  arena& written() const { return *way_->written; }

  static constexpr bool is_open() { return true; }
  void begin() { used_ = false; }
  bool is_used() const { return used_; }

 private:
  edge<K, V>* to_;
  passage* way_;
  bool used_ = false;
};

template <typename In, typename K, typename V, placement Placed, std::size_t N>
class emitter<In, branches<shape<K, V, Placed>, N>> {
 public:
  using input = In;

  explicit emitter(opening& at) {
    for (std::uint32_t i = 0; i < N; ++i) to_[i] = &at.target<K, V>(i);
  }

  void operator()(std::size_t branch, record<K, V>&& r) {
    used_ = true;
    to_[branch]->push(std::move(r));
  }

  static constexpr bool is_open() { return true; }
  void begin() { used_ = false; }
  bool is_used() const { return used_; }

 private:
  std::array<edge<K, V>*, N> to_;
  bool used_ = false;
};

/// As many branches as the operator has `ports()`, and counts for its `deciders()`.
template <typename In, typename K, typename V, placement Placed>
class emitter<In, branches<shape<K, V, Placed>, std::dynamic_extent>> {
 public:
  using input = In;

  explicit emitter(opening& at) : counts_{at.seat().counts} {
    for (std::uint32_t i = 0; i < at.ports(); ++i) to_.push_back(&at.target<K, V>(i));
  }

  void operator()(std::size_t branch, record<K, V>&& r) {
    used_ = true;
    to_[branch]->push(std::move(r));
  }
  void count(std::size_t decider) { ++counts_->decided[decider]; }

  static constexpr bool is_open() { return true; }
  void begin() { used_ = false; }
  bool is_used() const { return used_; }

 private:
  node_counts* counts_;
  std::vector<edge<K, V>*> to_;
  bool used_ = false;
};

template <typename In>
class emitter<In, ends> : public outlet<In> {
 public:
  using outlet<In>::outlet;
};

template <typename In, typename K, typename V, placement Placed>
class emitter<In, through<K, V, Placed>> : public outlet<In> {
 public:
  using outlet<In>::outlet;
};

/// It is called with a `recollection` as well.
template <typename Op>
inline constexpr bool keeps_seen_ids = requires(const Op& what) {
  what.dedup();
};

/// It is called with a `keeping` as well, and with that alone for an alarm.
template <typename Op>
inline constexpr bool keeps_by_key = requires {
  requires Op::is_process;
};

/// An operator at work.
template <typename Op, typename In, typename Out>
class node final : public edge<typename In::key_type, typename In::value_type> {
 public:
  node(const Op& what, opening& at) : op_{what}, seat_{at.seat()}, memory_{at}, next_{at} {}

  void push(typename In::record_type&& r) override {
    if (seat_.way->is_stopped()) return;
    const stay here{seat_};
    if (!next_.is_open()) return;
    if (seat_.way->holds_back && seat_.hold_back()) return;
    if constexpr (keeps_by_key<Op>)
      if (memory_.of.waits_for_calls(*seat_.name, r.timestamp())) return;
    ++seat_.counts->received;
    next_.begin();
    try {
      if constexpr (keeps_seen_ids<Op> || keeps_by_key<Op>) {
        op_(std::move(r), next_, memory_.of);
      } else {
        op_(std::move(r), next_);
      }
    } catch (...) {
      return seat_.fail();
    }
    if (!next_.is_used()) ++seat_.counts->dropped;
  }

  void call(const keyed_state::alarm& due) override {
    if constexpr (keeps_by_key<Op>) {
      const stay here{seat_};
      try {
        if (seat_.way->refused) throw permanent_error{*seat_.way->refused};
        op_(due, next_, memory_.of);
      } catch (...) {
        seat_.fail();
        if (!seat_.way->is_stopped()) memory_.of.dismiss(due);
      }
    }
  }

 private:
  struct nothing {
    explicit nothing(opening&) {}
  };
  struct seen {
    explicit seen(opening& at) : of{at.memory()} {}
    recollection of;
  };
  struct kept {
    explicit kept(opening& at) : of{at.keeping()} {}
    keeping of;
  };
  using memory = std::conditional_t<keeps_seen_ids<Op>, seen, std::conditional_t<keeps_by_key<Op>, kept, nothing>>;

  const Op& op_;
  seat seat_;
  [[no_unique_address]] memory memory_;
  emitter<In, Out> next_;
};

template <typename Op, typename In, typename Out>
class node_blueprint final : public blueprint {
 public:
  explicit node_blueprint(Op what) : op_{std::move(what)} {}
  anchor& open(opening& at) const override { return at.make<node<Op, In, Out>>(op_, at); }

 private:
  Op op_;
};

/// The words of a captured object, so that a pointer to a local variable that is gone can be found; nothing of objects
/// that are more than memory.
template <typename F>
void add_words([[maybe_unused]] std::vector<std::uintptr_t>& words, [[maybe_unused]] const F& captured) {
#if __has_builtin(__builtin_clear_padding)
  if constexpr (std::is_trivially_copyable_v<F> && std::is_copy_constructible_v<F> &&
                sizeof(F) >= sizeof(std::uintptr_t)) {
    F copy{captured};
    __builtin_clear_padding(&copy);
    const std::size_t first = words.size();
    words.resize(first + sizeof(F) / sizeof(std::uintptr_t));
    std::memcpy(&words[first], static_cast<const void*>(&copy), (words.size() - first) * sizeof(std::uintptr_t));
  }
#endif
}

template <typename In, typename Op>
facts facts_of(const Op& what) {
  facts all;
  all.name = what.name();
  all.verb = Op::verb;
  all.on_failure = what.own_policy();
  if constexpr (requires { what.note(); }) all.note = what.note();
  if constexpr (requires { what.ports(); }) all.ports = what.ports();
  if constexpr (requires { what.deciders(); }) all.deciders = what.deciders();
  if constexpr (requires { what.flaws(); }) all.flaws = what.flaws();
  if constexpr (requires { what.template sink<In>(); }) all.sink = what.template sink<In>();
  if constexpr (keeps_seen_ids<Op>) all.dedup = what.dedup();
  all.is_process = keeps_by_key<Op>;
  all.is_scattered = In::placed == placement::scattered;
  if constexpr (requires { Op::keeps_state_by_key; }) all.keeps_state_by_key = Op::keeps_state_by_key;
  if constexpr (requires { what.captures([](const auto&) {}); })
    what.captures([&](const auto& captured) {
      add_words(all.words, captured);
      if constexpr (requires { captured.flaws(); })
        for (auto& each : captured.flaws()) all.flaws.push_back(std::move(each));
    });
  return all;
}

/// Handles on what comes out of a node.
template <typename K, typename V, placement Placed>
stream<K, V, Placed> handle(shape<K, V, Placed>, draft& plan, std::uint32_t node) {
  return {plan, {node, 0}};
}

template <typename K, typename V, placement Placed, std::size_t N>
std::array<stream<K, V, Placed>, N> handle(branches<shape<K, V, Placed>, N>, draft& plan, std::uint32_t node) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::array<stream<K, V, Placed>, N>{stream<K, V, Placed>{plan, {node, I}}...};
  }
  (std::make_index_sequence<N>{});
}

template <typename K, typename V, placement Placed>
std::vector<stream<K, V, Placed>> handle(branches<shape<K, V, Placed>, std::dynamic_extent>, draft& plan,
                                         std::uint32_t node) {
  std::vector<stream<K, V, Placed>> all{{plan, {node, 0}}};
  while (all.size() < plan.nodes()[node].about.ports.size())
    all.push_back({plan, {node, static_cast<std::uint32_t>(all.size())}});
  return all;
}

inline ended handle(ends, draft&, std::uint32_t) {
  return {};
}

/// What the name of a function with several overloads could be.
struct overloaded {
  overloaded(...);
};

template <typename T>
inline constexpr bool is_failed = std::is_same_v<T, poisoned>;
template <std::size_t N>
inline constexpr bool is_failed<std::array<poisoned, N>> = true;

}  // namespace wiring

/// Lets `what` read a stream: an operator, or a function from stream to whatever it makes of it.
template <typename K, typename V, placement Placed, typename Op>
auto operator|(stream<K, V, Placed> from, Op what) {
  if constexpr (is_operator<Op>) {
    using in = shape<K, V, Placed>;
    using out = decltype(out_of<Op, in>());
    if constexpr (wiring::is_failed<out>) {
      return out{};
    } else {
      wiring::facts about = wiring::facts_of<in>(what);
      const wiring::port inputs[] = {from.port()};
      const std::uint32_t made = from.draft().add(
          std::move(about), inputs, std::make_unique<wiring::node_blueprint<Op, in, out>>(std::move(what)));
      return handle(out{}, from.draft(), made);
    }
  } else {
    constexpr bool is_stage = std::is_invocable_v<Op&, stream<K, V, Placed>>;
    constexpr bool is_reported = std::is_same_v<Op, poisoned>;
    static_assert(is_stage || is_reported, "flow: behind | stands an operator, or a function that takes the stream");
    if constexpr (is_stage) {
      return what(from);
    } else {
      return poisoned{};
    }
  }
}

/// An operator, or several, with no stream before them.
template <typename Op, typename Other>
poisoned operator|(const op<Op>&, const Other&) {
  static_assert(never<Op>, "flow: a stream stands before its operators: orders | filter(is_large) | to(\"large\")");
  return {};
}

/// An operator without parentheses, of which the compiler says no more than that it is an overloaded function.
template <typename K, typename V, placement Placed>
poisoned operator|(stream<K, V, Placed>, wiring::overloaded);

template <typename Op>
poisoned operator|(poisoned, Op&&) {
  return {};
}
template <typename Op>
poisoned operator|(stream<poisoned, poisoned, placement::by_key>, Op) {
  return {};
}

template <typename Op>
poisoned operator|(ended, Op&&) {
  static_assert(never<Op>, "flow: nothing comes out of a sink; let both read the same stream instead");
  return {};
}

/// As streams of characters are written.
template <typename K, typename V, placement Placed, typename Op>
poisoned operator>>(const stream<K, V, Placed>&, const Op&) {
  static_assert(never<Op>, "flow: a stream goes on with |: orders | to(\"orders-again\")");
  return {};
}
template <typename Op>
poisoned operator>>(poisoned, const Op&) {
  return {};
}

}  // namespace flow
