#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <flow/call.hpp>
#include <flow/codec.hpp>
#include <flow/keyed_state.hpp>
#include <flow/op.hpp>
#include <flow/outlet.hpp>
#include <flow/plan.hpp>
#include <flow/source.hpp>
#include <flow/wiring.hpp>

namespace flow {

/// What a `process` called P sees of the key at hand.
template <typename P>
class process_context {
 public:
  using output = typename P::output;

  template <typename Outlet>
  process_context(kept_of_key& kept, std::int64_t stream_time, std::int64_t wall_clock, Outlet& out)
      : kept_{kept},
        stream_time_{stream_time},
        wall_clock_{wall_clock},
        out_{&out},
        emit_{[](void* to, output&& what) { (*static_cast<Outlet*>(to))(std::move(what)); }} {}

  /// What is kept of the key, to look at and to change; none at first. Without it, and without a time to be called at,
  /// the key is forgotten.
  std::optional<typename P::state>& state() {
    if (!state_) {
      auto& known = state_.emplace();
      if (kept_.value) known = default_coding<typename P::state>.decode(bytes{*kept_.value});
    }
    return *state_;
  }
  /// Written behind what was emitted before, if the call returns. A view may end with it.
  void emit(output what) { emit_(out_, std::move(what)); }

  /// The highest timestamp that has come so far, in milliseconds since 1970 UTC: one that is more than a day ahead of
  /// all others counts only when it is confirmed. In `on_stream_time` at least the time that was asked for, and not yet
  /// that of the record which brings it.
  std::int64_t stream_time() const { return stream_time_; }
  std::int64_t wall_clock() const { return wall_clock_; }  ///< milliseconds since 1970 UTC

  /// Calls `on_stream_time(key, context)` when the stream has come to that time: before the record that brings it, in
  /// the order of the times; if it has, behind the record that asks. A later one for this key takes its place, none takes
  /// it back.
  void call_at_stream_time(std::optional<std::int64_t> time) { kept_.stream_time = asked(time); }
  /// Likewise `on_wall_clock(key, context)`, once the clock of the machine has come to it, whether or not there are
  /// records; after an outage, when it is over.
  void call_at_wall_clock(std::optional<std::int64_t> time) { kept_.wall_clock = asked(time); }
  void call_after(std::chrono::milliseconds on_the_wall) { call_at_wall_clock(wall_clock_ + on_the_wall.count()); }

 private:
  template <typename>
  friend struct process_op;

  // What a call emits has its time as the timestamp, and there is none before 1.
  static std::int64_t asked(std::optional<std::int64_t> time) {
    return time ? std::max<std::int64_t>(*time, 1) : kept_of_key::never;
  }

  void write_back() {
    if (!state_) return;
    // What was read may look at what it was read from.
    std::string room;
    std::optional<std::string> made;
    if (*state_) made = default_coding<typename P::state>.encode(**state_, room).str();
    kept_.value = std::move(made);
  }

  kept_of_key& kept_;
  std::int64_t stream_time_, wall_clock_;
  std::optional<std::optional<typename P::state>> state_;
  void* out_;
  void (*emit_)(void*, output&&);
};

template <typename P>
inline constexpr bool names_state_and_output = requires {
  typename P::state;
  typename P::output;
};

template <typename P>
struct process_op : op<process_op<P>> {
  static constexpr std::string_view verb = "process";
  static constexpr bool is_process = true, keeps_state_by_key = true;

  process_op(label name, P what) : op<process_op>{name}, what{std::move(what)} {}

  template <typename In>
  static consteval auto out() {
    using key_type = typename In::key_type;
    constexpr bool is_whole = requires(const P& p, const typename In::record_type& r, process_context<P>& here) {
      p(r, here);
    };
    static_assert(is_whole,
                  "flow: process P needs `void operator()(const record<K, V>&, process_context<P>&) const` for the "
                  "records of this stream");
    static_assert(In::placed == placement::by_key,
                  "flow: process keeps something by key, and the key has changed since it was placed: let a "
                  "repartition(\"name\") come before it");
    if constexpr (!is_whole || In::placed != placement::by_key) {
      return poisoned{};
    } else {
      using output = typename P::output;
      constexpr bool is_kept = comes_back<key_type, typename P::state>();
      static_assert(!is_optional<typename P::state>,
                    "flow: what a process keeps is optional as it is: let `state` be the type without std::optional");
      if constexpr (!is_kept || is_optional<typename P::state>) {
        return poisoned{};
      } else if constexpr (is_keyed<output>) {
        return passed_on<decltype(output::key), decltype(output::value), placement::scattered>();
      } else {
        return passed_on<key_type, output, In::placed>();
      }
    }
  }

  template <typename In>
  sink_spec sink() const {
    return {.clusters = {std::string{home}},
            .names = sink_spec::naming::own,
            .topic = this->name(),
            .keeps_partition = true,
            .lanes = this->name()};
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto& out, const auto& memory) const {
    std::string room;
    const auto& keys = default_codings<K, V>.keys();
    const K& own = r.key();
    const bytes key = r.key_slot().is_received_by(keys) ? r.key_slot().received() : keys.encode(own, room);
    const auto now = memory.of().clock().now();
    run(key, memory.of().find(key), r, now == stream_clock::unset ? r.timestamp() : now, out, memory,
        [&](auto& here) { what(r, here); });
  }

  void operator()(const keyed_state::alarm& due, auto& out, const auto& memory) const {
    using In = typename std::remove_cvref_t<decltype(out)>::input;
    using K = typename In::key_type;
    using V = typename In::value_type;
    auto kept = memory.of().find(due.key_bytes());
    kept.*due.which = kept_of_key::never;
    const bytes key = memory.way->written->keep(due.key_bytes());
    const record<K, V> at{slot<K>{key, default_codings<K, V>.keys()},
                          slot<V>{bytes{}, default_codings<K, V>.values()},
                          due.time,
                          {},
                          memory.way->from};
    // The record that brings a time in the stream comes behind.
    const auto now = memory.of().clock().guess();
    const bool is_ahead = due.which == &kept_of_key::stream_time || now == stream_clock::unset;
    run(key, std::move(kept), at, is_ahead ? std::max(now, due.time) : now, out, memory, [&](auto& here) {
      if constexpr (requires { what.on_stream_time(at.key(), here); })
        if (due.which == &kept_of_key::stream_time) what.on_stream_time(at.key(), here);
      if constexpr (requires { what.on_wall_clock(at.key(), here); })
        if (due.which == &kept_of_key::wall_clock) what.on_wall_clock(at.key(), here);
      if (here.kept_.*due.which <= due.time || (!is_ahead && here.kept_.stream_time <= now))
        throw permanent_error{"asks to be called again for a time that is not later than the one it was called for"};
    });
  }

  void captures(auto see) const { see(what); }

  P what;

 private:
  template <typename K, typename V, placement Placed>
  static consteval auto passed_on() {
    if constexpr (comes_back<K, V>() && is_writable<shape<K, V, Placed>>()) {
      return through<K, V, Placed>{};
    } else {
      return poisoned{};
    }
  }

  /// What fails on the way has changed and written nothing.
  template <typename K, typename V>
  void run(bytes key, kept_of_key kept, const record<K, V>& r, std::int64_t stream_time, auto& out, const auto& memory,
           auto call_user) const {
    const auto before = memory.way->out->size();
    const auto known = memory.of().find(key);
    auto send = [&](typename P::output&& made) { emit(r, std::move(made), out); };
    process_context<P> here{kept, stream_time, memory.way->wall_clock, send};
    try {
      call_user(here);
      here.write_back();
    } catch (...) {
      memory.way->out->resize(before);
      throw;
    }
    if (kept != known) memory.put(key, std::move(kept));
  }

  template <typename K, typename V>
  static void emit(const record<K, V>& r, typename P::output made, auto& out) {
    using output = typename P::output;
    if constexpr (is_keyed<output>) {
      using K2 = decltype(output::key);
      using V2 = decltype(output::value);
      out.emit_by(r.with(std::move(made.key), std::move(made.value)), default_codings<K2, V2>);
    } else {
      out.emit_by(r.with_value(std::move(made)), default_codings<K, output>);
    }
  }
};

/// The escape hatch: `what` is called for each record of a key, may keep something of that key, emit any number of
/// values, or `keyed` values, and have itself called when a time has come. It is a struct of yours:
///
///     struct alert_when_silent {
///       using state = std::string;   // kept of each key; any type that a codec reads and writes
///       using output = std::string;  // a value, or keyed<K, V>
///       void operator()(const record<std::string, reading>& r, process_context<alert_when_silent>& here) const {
///         here.state() = r.value().sensor;
///         here.call_at_stream_time(r.timestamp() + 60'000);
///       }
///       void on_stream_time(const std::string& key, process_context<alert_when_silent>& here) const {
///         here.emit(key + " is silent: " + *here.state());
///       }
///       void on_wall_clock(const std::string& key, process_context<alert_when_silent>&) const;  // both are optional
///     };
///
/// It has lanes of its own on home. What it keeps lies in memory, and in a compacted topic of the application's own,
/// which changes in the transaction that holds what it emits and the position: so every record, and every time that has
/// come, counts exactly once, whatever crashes. What it emits goes through another topic of the application's own, with
/// the timestamp and headers of the record, or the time that has come and none, in the order of the source partition.
///
/// Records without a key are those of one key, if its type can be null. What it throws is a failure of the record, or of
/// the call: with `skip` the record, or the call, is passed over. The name stands on disk.
template <typename P>
requires names_state_and_output<P> process_op<P> process(label name, P what) {
  return {name, std::move(what)};
}

/// A process by what is none.
template <typename P>
requires(!names_state_and_output<P>) poisoned process(label, const P&) {
  static_assert(never<P>,
                "flow: process needs a struct P that names its types `state` and `output`, with "
                "`void operator()(const record<K, V>&, process_context<P>&) const`");
  return {};
}

/// A process whose name was forgotten.
template <typename P>
requires(!std::is_convertible_v<const P&, std::string_view>) poisoned process(const P&) {
  static_assert(never<P>, "flow: process needs a name first, since it stands on disk: process(\"sessions\", P{})");
  return {};
}

}  // namespace flow
