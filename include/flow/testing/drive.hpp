#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <iterator>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#include <flow/for_each.hpp>
#include <flow/topology.hpp>

/// Operators without any cluster: what goes in, and what comes out.
namespace flow::testing {

/// A record that came out of a stage.
template <typename K, typename V>
struct outcome {
  K key;
  V value;
  std::chrono::milliseconds timestamp;

  bool operator==(const outcome&) const = default;
};

/// What stands in a queue, as a range that goes on when more is put there.
template <typename T>
class queue_view {
 public:
  class iterator {
   public:
    using value_type = T;
    using difference_type = std::ptrdiff_t;

    explicit iterator(std::deque<T>& items) : items_{&items} {}
    const T& operator*() const { return items_->front(); }
    iterator& operator++() {
      items_->pop_front();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return items_->empty(); }

   private:
    std::deque<T>* items_;
  };

  explicit queue_view(std::deque<T>& items) : items_{&items} {}
  iterator begin() const { return iterator{*items_}; }
  std::default_sentinel_t end() const { return {}; }

 private:
  std::deque<T>* items_;
};

/// A stage at work. Not for use by two threads at once.
template <typename K, typename V, typename OutK, typename OutV>
class driver {
 public:
  template <typename Stage>
  explicit driver(Stage stage) : insides_{std::make_unique<insides>()} {
    topology t{"drive"};
    const auto in = t.from("drive-in", queue_view{insides_->in});
    stage(stream<K, V, placement::by_key>{in.draft(), in.port()}) |
        for_each("drive-out", [out = &insides_->out](const record<OutK, OutV>& r) {
          out->push_back({r.key(), r.value(), std::chrono::milliseconds{r.timestamp()}});
        });
    const auto plan = t.build();
    // What comes back from a topic does not come here.
    if (plan->sources().size() > 1)
      throw std::logic_error{"flow: drive takes records through without a cluster: test `process`, `repartition` and "
                             "`async_map` with a simulation"};
    insides_->graph = plan->open();
  }

  /// Sends one record through the stage; says why if it did not get through because of the policy `stop`.
  std::optional<blame> push(K key, V value, std::chrono::milliseconds timestamp = {}) {
    arena written;
    std::vector<emission> emitted;
    // The range goes on by leaving behind what got through; what did not would come again.
    insides_->in.push_back({std::move(key), std::move(value), timestamp});
    const auto pulled = insides_->graph->pull(0, {.written = written, .out = emitted});
    if (pulled) return std::nullopt;
    insides_->in.clear();
    return pulled.error();
  }

  /// What has come out since the last call.
  std::vector<outcome<OutK, OutV>> take() { return std::exchange(insides_->out, {}); }

 private:
  struct insides {
    std::deque<stamped<K, V>> in;
    std::vector<outcome<OutK, OutV>> out;
    std::unique_ptr<flow::graph> graph;
  };

  std::unique_ptr<insides> insides_;
};

/// What `drive` needs to know of the stream that a stage returns.
template <typename T>
struct driven;

template <typename K, typename V, placement Placed>
struct driven<stream<K, V, Placed>> {
  using key_type = K;
  using value_type = V;
};

/// Puts a stage to work, a function from `stream<K, V>` to a stream. Throws std::logic_error if there is a `process`,
/// `repartition` or `async_map` in it, behind which records come back from a topic: those need a simulation.
///
///     auto d = drive<int, event>([](auto s) { return s | filter(is_good); });
///     d.push(1, event{"a"});
///     EXPECT_EQ(d.take().size(), 1);
template <typename K, typename V, typename Stage>
auto drive(Stage stage) {
  using out = driven<std::invoke_result_t<Stage&, stream<K, V, placement::by_key>>>;
  return driver<K, V, typename out::key_type, typename out::value_type>{std::move(stage)};
}

}  // namespace flow::testing
