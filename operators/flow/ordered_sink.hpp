#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <flow/destination.hpp>
#include <flow/op.hpp>
#include <flow/outlet.hpp>
#include <flow/plan.hpp>
#include <flow/topic.hpp>
#include <flow/wiring.hpp>

namespace flow {

/// What a function that delivers may return: nothing, a receipt for all that it was given, or one for each of it.
template <typename R>
concept says_what_became =
    std::is_void_v<R> || std::convertible_to<R, receipt> || std::convertible_to<R, std::vector<receipt>>;
template <typename F, typename What>
concept delivers = std::invocable<const F&, What> && says_what_became<std::invoke_result_t<const F&, What>>;
template <typename F>
concept opens_destination = requires(const F& f, const delivery_options& how) {
  { f(how) } -> std::convertible_to<std::unique_ptr<destination>>;
};

/// What user code says of `count` deliveries by what it returns or throws.
template <typename Call>
std::vector<receipt> receipts(std::size_t count, Call call) {
  try {
    if constexpr (std::is_void_v<decltype(call())>) {
      call();
      return std::vector<receipt>(count);
    } else if constexpr (std::is_convertible_v<decltype(call()), receipt>) {
      return receipts_of_all(count, call());
    } else {
      return call();
    }
  } catch (...) {
    return receipts_of_all(count, receipt_of_exception());
  }
}

/// What is wrong with how `where` is to be used, by the node of this name.
template <typename D>
std::vector<flaw> flaws_of(const std::string& node, const D& where, const delivery_options& how) {
  std::vector<flaw> all;
  if constexpr (requires { where.flaws(how); }) all = where.flaws(how);
  for (auto& each : all) each.text = "'" + node + "': " + each.text;
  return all;
}

template <typename D>
struct ordered_sink_op : op<ordered_sink_op<D>> {
  static constexpr std::string_view verb = "ordered_sink";
  static constexpr bool takes_batches = opens_destination<D> || delivers<D, std::span<const delivery>>;

  ordered_sink_op(label name, D where, delivery_options how)
      : op<ordered_sink_op>{name}, where{std::move(where)}, how{how} {}

  template <typename In>
  static consteval auto out() {
    constexpr bool fits = takes_batches || delivers<D, const delivery&>;
    static_assert(
        fits,
        "flow: ordered_sink needs a destination: a function of a delivery, or of a span of them, that returns a "
        "receipt, one for each, or nothing");
    if constexpr (!fits) {
      return poisoned{};
    } else if constexpr (is_writable<In>()) {
      return ends{};
    } else {
      return poisoned{};
    }
  }

  template <typename In>
  sink_spec sink() const {
    sink_spec spec{.clusters = {std::string{home}}, .names = sink_spec::naming::outside, .lanes = this->name()};
    spec.to.how = how;
    if constexpr (requires { where.text(); }) spec.to.text = where.text();
    if constexpr (opens_destination<D>) {
      spec.to.open = where;
    } else if constexpr (takes_batches) {
      spec.to.call = [f = where](std::span<const delivery> all) {
        return receipts(all.size(), [&] { return f(all); });
      };
    } else {
      spec.to.call = [f = where](std::span<const delivery> one) { return receipts(1, [&] { return f(one.front()); }); };
    }
    return spec;
  }

  std::vector<flaw> flaws() const {
    auto all = flaws_of(this->name(), where, how);
    if (!takes_batches && how.batch > 1)
      all.push_back({"'" + this->name() + "' delivers one record at a time, and its batch is larger",
                     "let its function take std::span<const flow::delivery>"});
    return all;
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto& out) const {
    out.emit(r, default_codings<K, V>);
  }

  void captures(auto see) const { see(where); }

  D where;
  delivery_options how;
};

/// Delivers each record to `where`, which is outside of Kafka: those of one key strictly one after the other, whatever
/// fails, different keys side by side. Records without a key have the order of their partition. Nothing else waits for
/// it: it has lanes and a position of its own on home, which is as far as everything has been delivered.
///
/// At least once: after a crash what lies behind the position comes again, in order, under the same idempotency keys.
/// What a receipt calls retriable is tried again until it gets there, or as `retry` says; what is permanent goes to the
/// policy at once. Its dead letters go to home. A partition of which `how.ahead` records are under way waits for the
/// first.
///
/// `where` is a function: of a `const delivery&` or a `std::span<const delivery>`, which may block,
/// and returns a `receipt`, a `std::vector<receipt>`, or nothing; it runs on threads of its own, called as const by
/// several at once. Or of `const delivery_options&`, returning the `std::unique_ptr<destination>` of one worker. The
/// name stands on disk.
template <typename D>
ordered_sink_op<D> ordered_sink(label name, D where, delivery_options how = {}) {
  return {name, std::move(where), how};
}

/// An ordered sink whose name was forgotten.
template <typename D>
requires(!std::is_convertible_v<const D&, std::string_view>)
    ordered_sink_op<D> ordered_sink(const D& where, delivery_options how = {}) {
  static_assert(never<D>,
                "flow: ordered_sink needs a name first, since it stands on disk: ordered_sink(\"crm\", where)");
  return {std::string{}, where, how};
}

}  // namespace flow
