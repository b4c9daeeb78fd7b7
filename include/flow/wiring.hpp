#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <flow/arena.hpp>
#include <flow/codec.hpp>
#include <flow/flaw.hpp>
#include <flow/op.hpp>
#include <flow/plan.hpp>
#include <flow/policy.hpp>
#include <flow/record.hpp>

/// Between typed streams and the engine: blueprints, which a topology collects, and the graphs that are opened from
/// them. Who writes programs or operators needs nothing of this.
namespace flow {

namespace wiring {

/// A node's policy, and the sinks that its dead letters go to.
struct failure_rule {
  policy what = stop;
  std::uint32_t letters = 0;
  std::uint32_t parked = 0;  ///< the sink of what is parked at the node, by its own policy or its source's
};

/// What all nodes of a graph know of the record that is on its way.
struct passage {
  origin from;
  std::int64_t time = -1;  ///< the record's, by its source
  const fetched_record* received = nullptr;  ///< nullptr: an element of a range
  std::uint64_t active = 0;
  arena* written = nullptr;
  std::vector<emission>* out = nullptr;
  std::int64_t wall_clock = 0;
  const attempts* before = nullptr;
  dedup_memory* seen = nullptr;
  keyed_state* const* kept = nullptr;
  const std::string* refused = nullptr;
  const failure_rule* source_rule = nullptr;
  const parked_keys* parked = nullptr;
  std::vector<std::string_view>* parks = nullptr;
  bool holds_back = false;   ///< perhaps the record's key is parked somewhere
  std::uint64_t number = 0;  ///< of the record, among all that were pushed
  std::uint32_t turn = 0;    ///< which of the records that the node at work gets of it

  std::vector<omission>* omitted = nullptr;
  return_visit* again = nullptr;
  const node_counts* awaited = nullptr;  ///< the node that failed then
  std::uint32_t awaited_node = 0;
  std::uint32_t awaited_sink = 0;        ///< of what is parked there
  bool closed = false;                   ///< the record is not there, or not any more: nothing is wanted of it
  std::vector<bool> leads_there{};       ///< by node
  std::optional<blame> stopped;
  std::string room;

  /// For those who come after a node whose policy is `stop`: do nothing.
  bool is_stopped() const { return stopped.has_value(); }
  /// The awaited node gets, as the `turn`th, the record that it failed at.
  bool is_awaited(std::uint32_t turn);
  /// True if the record's key is parked at that node: what came there as the `turn`th has become a letter.
  bool follow(std::string_view node, std::uint32_t letters, std::uint32_t turn) const;
};

/// A node's place in an opened graph.
struct seat {
  passage* way;
  node_counts* counts;
  const std::string* name;
  const failure_rule* on_failure;
  std::uint32_t node;
  std::uint64_t record = 0;
  std::uint32_t turn = 0;

  void enter() {
    turn = record == way->number ? turn + 1 : 0;
    record = way->number;
    way->turn = turn;
  }
  /// True if the record's key is parked here: it has become a letter.
  bool hold_back() const;
  /// Applies the policy to the exception that is being handled.
  void fail() const;

 private:
  void wait(const unanswered& why) const;
};

/// A record's stay at a node, and behind it.
class stay {
 public:
  explicit stay(seat& at) : way_{*at.way} {
    at.enter();
    if (way_.awaited == at.counts && way_.is_awaited(at.turn)) way_.closed = false, opened_ = true;
  }
  ~stay() {
    if (opened_) way_.closed = true;
  }
  stay(const stay&) = delete;

 private:
  passage& way_;
  bool opened_ = false;
};

/// What a node sees of its memory.
struct recollection {
  passage* way;
  node_counts* counts;
  std::uint32_t number;

  /// For the record that is on its way; a null or empty id is none that was there.
  bool has_seen(bytes id, std::int64_t timestamp) const;
};

/// What a node sees of what it keeps by key.
struct keeping {
  passage* way;
  std::uint32_t number;
  std::uint32_t changes;  ///< the sink of those

  keyed_state& of() const { return *way->kept[number]; }
  /// The record that is on its way brings the stream to this time, and calls come before it: it goes no further.
  bool waits_for_calls(const std::string& node, std::int64_t timestamp) const;
  /// Writes the change down as well.
  void put(bytes key, kept_of_key what) const;
  /// What cannot be called is not called any more, for this time.
  void dismiss(const keyed_state::alarm& what) const;
};

/// What a graph owns and its nodes point at. Stays where it is.
class anchor {
 public:
  anchor() = default;
  anchor(const anchor&) = delete;
  virtual ~anchor() = default;
  /// Of a node that keeps something by key.
  virtual void call(const keyed_state::alarm&) {}
};

/// Where records of one type go in. One virtual call per record and node; nothing is ever thrown through it.
template <typename K, typename V>
class edge : public anchor {
 public:
  virtual void push(record<K, V>&& r) = 0;
};

/// A stream that several nodes read: each but the last gets a copy.
template <typename K, typename V>
class tee final : public edge<K, V> {
 public:
  explicit tee(std::span<anchor* const> targets) : targets_{targets.begin(), targets.end()} {}

  void push(record<K, V>&& r) override {
    for (std::size_t i = 0; i + 1 < targets_.size(); ++i) to(i).push(record<K, V>{r});
    to(targets_.size() - 1).push(std::move(r));
  }

 private:
  edge<K, V>& to(std::size_t i) const { return static_cast<edge<K, V>&>(*targets_[i]); }

  std::vector<anchor*> targets_;
};

/// Where records of a topic or range enter.
class inlet : public anchor {
 public:
  virtual void receive(const fetched_record& r) = 0;
  virtual graph::pulled pull() = 0;
};

/// What a blueprint builds its node from.
class opening {
 public:
  virtual ~opening() = default;
  virtual passage& way() const = 0;
  virtual flow::wiring::seat seat() const = 0;
  /// How many outputs this node has.
  virtual std::uint32_t ports() const = 0;
  /// The number of this sink in the plan.
  virtual std::uint32_t sink() const = 0;
  virtual recollection memory() const = 0;
  virtual flow::wiring::keeping keeping() const = 0;
  /// Keeps a node for as long as the graph lives.
  virtual anchor& own(std::unique_ptr<anchor> node) = 0;

  template <typename Node, typename... Args>
  Node& make(Args&&... args) {
    return static_cast<Node&>(own(std::make_unique<Node>(std::forward<Args>(args)...)));
  }
  /// What stands behind one of this node's ports.
  template <typename K, typename V>
  edge<K, V>& target(std::uint32_t port) {
    const std::span<anchor* const> all = targets(port);
    if (all.size() == 1) return static_cast<edge<K, V>&>(*all[0]);
    return make<tee<K, V>>(all);
  }

 protected:
  virtual std::span<anchor* const> targets(std::uint32_t port) = 0;
};

/// A node as the plan keeps it. Immutable once it is part of a plan, except as each says itself.
class blueprint {
 public:
  virtual ~blueprint() = default;
  virtual anchor& open(opening& at) const = 0;
};

/// The output of a stream's node.
struct port {
  std::uint32_t node = 0;
  std::uint32_t number = 0;
};

/// Everything about a node but its types.
struct facts {
  std::string name{};  ///< empty: made of the verb
  std::string_view verb{};
  std::string note{};
  std::optional<policy> on_failure{};
  std::vector<std::string> ports{};     ///< names of the outputs, where there are several
  std::vector<std::string> deciders{};  ///< names of those who decide about a record, each of which is counted
  std::optional<source_spec> source{};
  std::optional<sink_spec> sink{};
  std::optional<dedup_spec> dedup{};
  bool is_process = false;
  bool keeps_state_by_key = false;
  bool is_scattered = false;            ///< its records' keys are not their source's any more
  std::vector<flaw> flaws{};            ///< of operators and user code that know what is wrong with them, as rules do
  std::vector<std::uintptr_t> words{};  ///< what user code has captured, as far as it is plain memory
};

/// A call of a function on a thread's stack, told from all others by where its part of the stack ends.
struct frame {
  std::uintptr_t end = 0;
  std::uintptr_t function = 0;
  std::uintptr_t thread = 0;

  bool operator==(const frame&) const = default;
};

/// A topology under construction: its nodes, and all that is known to be wrong with them.
class draft {
 public:
  struct node {
    facts about;
    std::vector<port> inputs;
    std::unique_ptr<const blueprint> how;
    std::vector<frame> captured{};  ///< the calls whose local variables user code refers to
  };
  explicit draft(std::string application) : application_{std::move(application)} {}

  /// Throws `std::logic_error` once it is sealed, as do all that change something.
  std::uint32_t add(facts about, std::span<const port> inputs, std::unique_ptr<const blueprint> how);
  void on_failure(std::uint32_t node, policy what);
  void on_failure(policy what);
  /// Reported with everything else that is wrong when the plan is built.
  void report(std::string text, std::string remedy);
  void seal() { sealed_ = true; }

  const std::string& application() const { return application_; }
  const std::vector<node>& nodes() const { return nodes_; }
  const std::vector<flaw>& flaws() const { return flaws_; }
  policy on_failure() const { return on_failure_; }

 private:
  void check_open() const;

  std::string application_;
  std::vector<node> nodes_;
  std::vector<flaw> flaws_;
  policy on_failure_ = stop;
  bool sealed_ = false;
};

}  // namespace wiring
}  // namespace flow
