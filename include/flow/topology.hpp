#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <flow/describe.hpp>
#include <flow/event_time.hpp>
#include <flow/label.hpp>
#include <flow/plan.hpp>
#include <flow/policy.hpp>
#include <flow/source.hpp>
#include <flow/stream.hpp>
#include <flow/topic.hpp>

namespace flow {

/// Everything that is wrong with a topology, and with what it was to run on. `what()` has one line for each flaw.
class topology_error : public std::invalid_argument {
 public:
  explicit topology_error(std::vector<flaw> flaws);
  const std::vector<flaw>& flaws() const { return flaws_; }

 private:
  std::vector<flaw> flaws_;
};

/// What a topology is built against.
struct surroundings {
  std::vector<std::string> clusters;  ///< those that exist, by name; not checked if there are none
  std::string home{flow::home};       ///< what the one that is read is called there
  std::vector<flaw> flaws{};          ///< what is wrong with them; told together with what is wrong with the topology
};

/// How a topic is read.
template <typename K, typename V>
struct from_options {
  std::optional<start_at> start{};  ///< counts only where no position exists yet; the application's unless set
  /// What a record's timestamp is from here on, for `dedup` and for sinks: `.time = &order::placed_at`. Every value is
  /// decoded for it, at the source. `start` goes by the timestamps that the topic has.
  event_time<K, V> time{};
};

/// A program under construction: sources, and operators behind them. Not for use by two threads at once. One that
/// has been moved away throws `std::logic_error`, whatever is asked of it.
class topology {
 public:
  /// The application's name is part of the names of its groups, transactions and internal topics.
  explicit topology(std::string application);
  topology(topology&&) noexcept = default;
  topology& operator=(topology&&) noexcept = default;

  /// What becomes of failing records where an operator has no policy of its own; `stop` unless set.
  topology& on_failure(policy what);

  template <typename K, typename V>
  using options = std::type_identity_t<from_options<K, V>>;

  /// Reads a topic, or several, of the home cluster.
  template <typename K, typename V>
  source<K, V, placement::by_key> from(topic<K, V> what, options<K, V> how = {}) {
    return read<K, V>({.include = {what.name}}, std::move(what.codecs), how);
  }
  template <typename K, typename V>
  source<K, V, placement::by_key> from(label name, topic<K, V> what, options<K, V> how = {}) {
    return read<K, V>({.name = std::string{name.text()}, .include = {what.name}}, std::move(what.codecs), how);
  }
  template <typename K, typename V>
  source<K, V, placement::by_key> from(topics<K, V> what, options<K, V> how = {}) {
    return read<K, V>({.include = std::move(what.include), .exclude = std::move(what.exclude)}, std::move(what.codecs),
                      how);
  }
  template <typename K, typename V>
  source<K, V, placement::by_key> from(label name, topics<K, V> what, options<K, V> how = {}) {
    return read<K, V>(
        {.name = std::string{name.text()}, .include = std::move(what.include), .exclude = std::move(what.exclude)},
        std::move(what.codecs), how);
  }
  /// Reads a range to its end: values, `keyed`, or `stamped` elements. A container is copied. A range that can be read
  /// only once serves one graph.
  template <typename Range>
  auto from(Range&& what) {
    return read_range({}, std::forward<Range>(what));
  }
  template <typename Range>
  auto from(label name, Range&& what) {
    return read_range(std::string{name.text()}, std::forward<Range>(what));
  }
  /// A start that is not among options.
  template <typename... Others>
  requires(std::same_as<Others, start_at> || ...) poisoned from(const Others&...) {
    static_assert(never<Others...>, "flow: where reading starts stands in braces: from(orders, {.start = beginning})");
    return {};
  }

  /// Checks everything. Throws `topology_error`. After this no more operators can be added.
  std::shared_ptr<const plan> build(const surroundings& where = {}) const;

 private:
  template <typename K, typename V>
  source<K, V, placement::by_key> read(source_spec what, codings<K, V> codecs, const from_options<K, V>& how) {
    what.start = how.start;
    what.is_timed = static_cast<bool>(how.time);
    auto node = std::make_unique<wiring::topic_blueprint<K, V>>(std::move(codecs), how.time);
    return {*draft(), {add(std::move(what), std::move(node), how.time.words()), 0}};
  }

  template <typename Range>
  auto read_range(std::string name, Range&& what) {
    using stored = std::remove_cvref_t<Range>;
    constexpr bool is_range = std::ranges::input_range<stored>;
    constexpr bool is_text = std::is_convertible_v<Range, std::string_view>;
    static_assert(is_range && !is_text, "flow: from takes topic<K, V>{name}, topics<K, V>{patterns}, or a range");
    if constexpr (is_range && !is_text) {
      using item = wiring::element<std::ranges::range_value_t<stored>>;
      return source<typename item::key_type, typename item::value_type, placement::scattered>{
          *draft(),
          {add({.name = std::move(name), .bounded = true},
               std::make_unique<wiring::range_blueprint<stored>>(std::forward<Range>(what))),
           0}};
    } else {
      return poisoned{};
    }
  }

  const std::shared_ptr<wiring::draft>& draft() const;
  std::uint32_t add(source_spec what, std::unique_ptr<const wiring::blueprint> node,
                    std::vector<std::uintptr_t> words = {});

  std::shared_ptr<wiring::draft> draft_;
};

}  // namespace flow
