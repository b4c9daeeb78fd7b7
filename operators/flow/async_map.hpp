#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <flow/destination.hpp>
#include <flow/op.hpp>
#include <flow/ordered_sink.hpp>
#include <flow/outlet.hpp>
#include <flow/plan.hpp>
#include <flow/source.hpp>

namespace flow {

template <typename F>
struct async_map_op : op<async_map_op<F>> {
  static constexpr std::string_view verb = "async_map";

  async_map_op(label name, F f, delivery_options how) : op<async_map_op>{name}, f{std::move(f)}, how{how} {}

  template <typename In>
  static consteval auto out() {
    using key_type = typename In::key_type;
    using value_type = typename In::value_type;
    if constexpr (!comes_back<key_type, value_type>() || !is_writable<In>()) {
      return poisoned{};
    } else if constexpr (opens_destination<F>) {
      return through<key_type, std::string, In::placed>{};
    } else if constexpr (is_function_for<F, key_type, value_type>()) {
      using made = kept_t<call_result<F, key_type, value_type>>;
      static_assert(!is_keyed<made>,
                    "flow: async_map keeps the key: let it return the value, and use key_by behind it");
      if constexpr (is_keyed<made>) {
        return poisoned{};
      } else if constexpr (comes_back<key_type, made>() && is_writable<shape<key_type, made, In::placed>>()) {
        return through<key_type, made, In::placed>{};
      } else {
        return poisoned{};
      }
    } else {
      return poisoned{};
    }
  }

  template <typename In>
  sink_spec sink() const {
    sink_spec spec{.clusters = {std::string{home}}, .names = sink_spec::naming::outside, .lanes = this->name()};
    spec.to.how = how;
    spec.to.how.wants_answers = true;
    if constexpr (requires { f.text(); }) spec.to.text = f.text();
    if constexpr (opens_destination<F>) {
      spec.to.open = f;
    } else {
      spec.to.call = [f = f](std::span<const delivery> one) {
        return receipts(1, [&] { return receipt::answered(answer<In>(f, one.front())); });
      };
    }
    return spec;
  }

  std::vector<flaw> flaws() const {
    auto all = flaws_of(this->name(), f, how);
    if (how.batch > 1) all.push_back({"'" + this->name() + "' asks one record at a time", "leave out its batch"});
    return all;
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto& out) const {
    out.emit_by(r, default_codings<K, V>);
  }

  void captures(auto see) const { see(f); }

  F f;
  delivery_options how;

 private:
  template <typename In>
  static std::optional<std::string> answer(const F& f, const delivery& what) {
    using K = typename In::key_type;
    using V = typename In::value_type;
    const record<K, V> asked{slot<K>{what.key, default_coding<K>}, slot<V>{what.value, default_coding<V>},
                             what.timestamp, what.headers, what.from};
    std::string room;
    const kept_t<call_result<F, K, V>> made = call(f, asked);
    const bytes written = encoded(made, room);
    return written.is_null() ? std::nullopt : std::optional{written.str()};
  }
};

/// What `f` makes of each value takes its place; `f` may block, and is called on threads of its own, as const by
/// several at once, as every function of records is. Or `f` is a destination that answers, `http::post`, whose answers'
/// bodies are the values, as `std::string`. Calls for one key are made one after the other, whatever fails, those for
/// different keys side by side; what comes out has the order of its source partition. Key, headers and timestamp are
/// kept.
///
/// It is an `ordered_sink` whose answers come back, through a topic of the application's own on the home cluster: each
/// record is answered once for all targets, and that answer is what each of them gets, exactly once. `f` itself may be
/// called again, after a crash, for up to `how.ahead` records of a source partition. What it throws may heal, unless it
/// is a `permanent_error`, and is tried again until it does, or as the `retry` of its policy says. `{topic}` behind it
/// stands for its name, which stands on disk.
template <typename F>
async_map_op<F> async_map(label name, F f, delivery_options how = {}) {
  return {name, std::move(f), how};
}

/// A map whose name was forgotten.
template <typename F>
requires(!std::is_convertible_v<const F&, std::string_view>) async_map_op<F> async_map(const F& f,
                                                                                       delivery_options how = {}) {
  static_assert(never<F>, "flow: async_map needs a name first, since it stands on disk: async_map(\"scores\", f)");
  return {std::string{}, f, how};
}

}  // namespace flow
