#pragma once

#include <atomic>
#include <chrono>
#include <concepts>
#include <optional>
#include <ranges>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

#include <flow/event_time.hpp>
#include <flow/stream.hpp>

namespace flow {

/// A stream as it comes from a topic or a range.
template <typename K, typename V, placement Placed>
class [[nodiscard("flow: a stream ends in to, fan_out or for_each")]] source : public stream<K, V, Placed> {
 public:
  using stream<K, V, Placed>::stream;
  /// `auto orders = t.from(...); orders = orders | filter(...);`: the handle is that of the stream behind from now on.
  using stream<K, V, Placed>::operator=;

  /// What becomes of records that cannot be decoded, wherever that shows; otherwise the topology's default.
  source on_failure(policy what) const {
    this->draft().on_failure(this->port().node, std::move(what));
    return *this;
  }
};

/// An element of a range that a record's timestamp comes from, in milliseconds since 1970 UTC.
template <typename K, typename V>
struct stamped {
  K key;
  V value;
  std::chrono::milliseconds timestamp{};
};

namespace wiring {

template <typename K, typename V>
class topic_inlet final : public inlet {
 public:
  topic_inlet(const codings<K, V>& how, const event_time<K, V>& time, opening& at)
      : keys_{how.keys()}, values_{how.values()}, time_{time}, seat_{at.seat()}, to_{at.target<K, V>(0)} {}

  void receive(const fetched_record& r) override {
    ++seat_.counts->received;
    record<K, V> made{slot<K>{r.key, keys_}, slot<V>{r.value, values_}, r.timestamp, r.headers, seat_.way->from};
    seat_.way->time = r.timestamp;
    if (!time_) return to_.push(std::move(made));
    seat_.way->time = -1;
    try {
      seat_.way->time = time_.of(made);
    } catch (...) {
      return seat_.fail();
    }
    to_.push(std::move(made).with_timestamp(seat_.way->time));
  }
  graph::pulled pull() override { return graph::pulled::end; }

 private:
  const coding<K>& keys_;
  const coding<V>& values_;
  const event_time<K, V>& time_;
  seat seat_;
  edge<K, V>& to_;
};

template <typename K, typename V>
class topic_blueprint final : public blueprint {
 public:
  topic_blueprint(codings<K, V> how, event_time<K, V> time) : how_{std::move(how)}, time_{std::move(time)} {}
  anchor& open(opening& at) const override { return at.make<topic_inlet<K, V>>(how_, time_, at); }

 private:
  codings<K, V> how_;
  event_time<K, V> time_;
};

/// What has gone out through a topic of the application's own comes in again behind it.
template <typename K, typename V, placement Placed>
source<K, V, Placed> handle(through<K, V, Placed>, draft& plan, std::uint32_t node) {
  facts about;
  const std::string& name = plan.nodes()[node].about.name;
  about.name = "from-" + name;
  about.verb = "from";
  about.source = source_spec{.name = about.name, .start = start_at{}, .through = name};
  return {plan,
          {plan.add(std::move(about), {},
                    std::make_unique<topic_blueprint<K, V>>(default_codings<K, V>, event_time<K, V>{})),
           0}};
}

/// A range's element as a record has it.
template <typename T>
struct element {
  using key_type = bytes;
  using value_type = kept_t<T>;
  static key_type key(const T&) { return {}; }
  static value_type value(const T& item) { return value_type(item); }
  static std::int64_t timestamp(const T&) { return -1; }
};
template <typename K, typename V>
struct element<keyed<K, V>> {
  using key_type = K;
  using value_type = V;
  static const K& key(const keyed<K, V>& item) { return item.key; }
  static const V& value(const keyed<K, V>& item) { return item.value; }
  static std::int64_t timestamp(const keyed<K, V>&) { return -1; }
};
template <typename K, typename V>
struct element<stamped<K, V>> {
  using key_type = K;
  using value_type = V;
  static const K& key(const stamped<K, V>& item) { return item.key; }
  static const V& value(const stamped<K, V>& item) { return item.value; }
  static std::int64_t timestamp(const stamped<K, V>& item) { return item.timestamp.count(); }
};

template <typename Range>
class range_inlet final : public inlet {
  using item = element<std::ranges::range_value_t<Range>>;
  using key_type = typename item::key_type;
  using value_type = typename item::value_type;

 public:
  range_inlet(Range items, opening& at)
      : items_{std::move(items)}, seat_{at.seat()}, to_{at.target<key_type, value_type>(0)} {}

  void receive(const fetched_record&) override {}

  graph::pulled pull() override {
    try {
      if (!next_) next_.emplace(std::ranges::begin(items_));
      if (taken_) ++*next_;
      taken_ = false;
      if (*next_ == std::ranges::end(items_)) return graph::pulled::end;
    } catch (...) {
      seat_.fail();
      return graph::pulled::record;
    }
    push();
    taken_ = !seat_.way->is_stopped();
    return graph::pulled::record;
  }

 private:
  void push() {
    ++seat_.counts->received;
    try {
      decltype(auto) it = **next_;
      to_.push(
          {slot<key_type>{item::key(it)}, slot<value_type>{item::value(it)}, item::timestamp(it), {}, seat_.way->from});
    } catch (...) {
      seat_.fail();
    }
  }

  Range items_;
  std::optional<std::ranges::iterator_t<Range>> next_;
  bool taken_ = false;
  seat seat_;
  edge<key_type, value_type>& to_;
};

/// Gives each graph a range of its own, or, if it can be read only once, gives it to the first.
template <typename Range>
class range_blueprint final : public blueprint {
 public:
  explicit range_blueprint(Range items) : items_{std::move(items)} {}

  anchor& open(opening& at) const override {
    if constexpr (std::ranges::forward_range<Range> && std::copy_constructible<Range>) {
      return at.make<range_inlet<Range>>(items_, at);
    } else {
      if (given_.exchange(true)) throw std::logic_error{"flow: a range that can be read only once serves one graph"};
      return at.make<range_inlet<Range>>(std::move(items_), at);
    }
  }

 private:
  mutable Range items_;
  mutable std::atomic<bool> given_ = false;
};

}  // namespace wiring
}  // namespace flow
