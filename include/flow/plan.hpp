#pragma once

#include <algorithm>
#include <chrono>
#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <flow/arena.hpp>
#include <flow/bytes.hpp>
#include <flow/dead_letter.hpp>
#include <flow/destination.hpp>
#include <flow/keyed_state.hpp>
#include <flow/parked_keys.hpp>
#include <flow/policy.hpp>
#include <flow/seen_ids.hpp>
#include <flow/topic_partition.hpp>
#include <flow/wire.hpp>

/// What the engine sees of a topology: sources, sinks, and a graph between them. Typed streams end here.
namespace flow {

/// The name that stands for the cluster that is read, whatever an application calls it.
inline constexpr std::string_view home = "home";

/// Where reading begins; counts only where no position exists yet.
struct start_at {
  enum class kind { earliest, latest, time };

  constexpr start_at() = default;
  constexpr start_at(kind where, std::int64_t time) : where{where}, time{time} {}
  /// A text where one of the names belongs.
  template <std::size_t N>
  constexpr start_at(const char (&)[N]) {
    static_assert(N == 0, "flow: reading starts at beginning, end or at(time)");
  }

  kind where = kind::earliest;
  std::int64_t time = 0;  ///< milliseconds since 1970 UTC

  auto operator<=>(const start_at&) const = default;
};

/// What one source reads.
struct source_spec {
  std::string name{};                  ///< the node's
  std::vector<std::string> include{};  ///< topic names, or regular expressions matched whole
  std::vector<std::string> exclude{};
  std::optional<start_at> start{};     ///< unless set, the application's
  bool is_timed = false;             ///< its records have a time of their own
  bool bounded = false;              ///< a range: `graph::pull` makes its records, no topic does
  /// Instead of topics: what the sinks with this `topic` write to one of the application's own (`naming::own`).
  std::string through{};
  /// Where reading ends. What is not named here is not read, and what is read only so far does not come back.
  std::optional<std::map<topic_partition, std::int64_t>> until{};
};

/// Where the records of one sink go on each of its clusters.
struct sink_spec {
  enum class naming {
    fixed,      ///< `topic` is the name
    pattern,    ///< `topic` with {topic} and {source} (the home cluster's name) replaced
    by_record,  ///< each emission carries the name
    nowhere,    ///< user code is the sink (`for_each`); only the position is kept, on home
    outside,    ///< to `to`, which is no cluster (`ordered_sink`); the position is kept on home
    own,        ///< `own_topic` makes the name of `topic`: a source of the plan reads it (`repartition`)
    changelog   ///< `changelog_topic` does: what a `process` keeps, with a partition for each lane
  };
  std::string name{};                   ///< the node's
  std::vector<std::string> clusters{};  ///< at least one; `home` for the one that is read
  naming names = naming::fixed;
  std::string topic{};
  bool keeps_partition = false;       ///< needs as many partitions as the source topic has
  /// A missing topic is created, partitioned as the source topic; one that keeps partitions grows with its source.
  bool create = true;
  std::int32_t partitions = 0;        ///< of `naming::own`, if it is not to be partitioned as the largest source topic
  /// Of `pattern`: settings of topics that are kept as those of the topic at home are, also when they change there.
  std::vector<std::string> sync_settings{};
  policy on_failure = stop;           ///< what becomes of records that a cluster refuses
  std::uint32_t letters = 0;          ///< if that is to dead-letter them: the sink that takes the letters
  bool takes_letters = false;         ///< no node's: whatever was dead-lettered goes here
  std::string lanes{};                ///< the name of lanes of its own; empty: those that all sinks of a cluster share
  destination_spec to{};              ///< of `naming::outside`
  std::uint32_t answers = 0;          ///< if `to.how.wants_answers`: the sink that takes them
  /// Indexes of those whose records come to it, or letters and answers about them.
  std::vector<std::uint32_t> sources{};
};

/// What a node that drops repetitions keeps of each source partition.
struct dedup_spec {
  std::string name{};  ///< the node's
  std::chrono::milliseconds window{};
  std::vector<std::uint32_t> sources{};  ///< indexes of those whose records come to it
  /// So far back it has to know what came, for those behind it: what it lets through by mistake would count there.
  std::chrono::milliseconds reach{};
  std::string way{};  ///< what stands before it, in words
  std::string id{};   ///< what it tells repetitions by, in words; empty if that is code

  /// Under which name what it has seen is kept: by another id it has seen nothing yet.
  std::string kept_as() const { return id.empty() ? name : name + " by " + id; }
};

/// A node that keeps something by key (`process`).
struct process_spec {
  std::string name{};         ///< the node's
  std::uint32_t sink = 0;     ///< of what it makes
  std::uint32_t changes = 0;  ///< of what it keeps
};

/// A node at which keys may be parked.
struct parking_spec {
  std::string node{};
  std::uint32_t letters = 0;  ///< the sink of what is parked there, on each cluster that is written to behind it
  std::vector<std::uint32_t> sources{};  ///< indexes of those whose records come to it
  bool failed = false;                   ///< by its own policy
  bool undecodable = false;              ///< by a source's
};

/// What a dedup keeps, of one source partition.
struct dedup_memory {
  seen_ids ids;
  stream_clock clock;  ///< at the record that is pushed

  bool is_kept_outside = false;  ///< whoever pushes records moves the clock
};

/// A record that left the graph: for one sink, so for each of its clusters.
struct emission {
  enum class partitioning {
    kept,  ///< `partition` as it is
    hashed ///< `hash` modulo the topic's partition count
  };
  std::uint32_t sink = 0;
  partitioning how = partitioning::kept;
  std::int32_t partition = 0;
  std::uint32_t hash = 0;
  std::int64_t timestamp = 0;
  bytes topic{};  ///< of `naming::by_record` only
  bytes key{};
  bytes value{};
  std::span<const header> headers{};
  std::uint32_t number = 0;  ///< which of the records that the sink got of one that was read
};

/// An emission that a sink's cluster, or its destination, does not take, or that follows one of its key.
struct refused_emission {
  std::uint32_t sink = 0;
  std::uint32_t number = 0;  ///< `emission::number`
  letter_reason reason = letter_reason::refused;
  std::string_view why{};
  std::int64_t attempts = 1;
  std::int64_t time = 0;  ///< milliseconds since 1970 UTC
};

/// Where a record comes from, as user code and dead letters see it.
struct source_partition {
  std::uint32_t source = 0;  ///< index into `plan::sources`
  std::string cluster;
  std::string topic;
  std::int32_t partition = 0;
};

/// Calls of a process, by number in `plan::processes`: those for which the stream's time has come.
struct due_calls {
  std::uint32_t process = 0;
  std::int64_t stream_time = 0;  ///< milliseconds since 1970 UTC
};

/// Why a record did not get through, and at which node.
struct blame {
  std::string node;
  std::string reason;
  std::optional<std::chrono::milliseconds> again{};  ///< it is to be pushed once more after this time
  std::optional<due_calls> first{};  ///< nothing has failed: it is to be pushed once more when these have been made
  bool is_unanswered = false;  ///< what a dedup knows cannot be read now: it has not seen the record yet
  std::uint32_t which = 0;     ///< of what that node has got of the record, from zero
};

/// How a record has fared so far that is pushed once more: at each node, with each of what that has got of it.
class attempts {
 public:
  struct at_node {
    std::string node;
    std::uint32_t which = 0;
    int failed = 0;          ///< how often
    std::int64_t first = 0;  ///< the first time, as milliseconds since 1970 UTC
  };

  void add(const blame& why, std::int64_t now) {
    auto known = std::ranges::find_if(all_, [&](const auto& each) { return is(each, why.node, why.which); });
    if (known == all_.end()) known = all_.insert(known, {why.node, why.which, 0, now});
    ++known->failed;
  }
  /// nullptr: it has not failed there.
  const at_node* at(std::string_view node, std::uint32_t which) const {
    const auto known = std::ranges::find_if(all_, [&](const auto& each) { return is(each, node, which); });
    return known == all_.end() ? nullptr : &*known;
  }
  /// It has failed once, at one of them.
  bool is_first() const { return all_.size() == 1 && all_.front().failed == 1; }

 private:
  static bool is(const at_node& one, std::string_view node, std::uint32_t which) {
    return one.which == which && one.node == node;
  }

  std::vector<at_node> all_;
};

/// A record that a node's policy has passed over.
struct omission {
  std::string node;
  std::string reason;
  bool is_kept = false;  ///< as a dead letter
};

/// What became of the records that came to a node.
struct node_counts {
  std::uint64_t received = 0;  ///< each try of a record that is tried again
  std::uint64_t dropped = 0;   ///< by decision of the operator (`filter`)
  std::uint64_t skipped = 0;   ///< failed and passed over (`on_failure(skip)`)
  std::uint64_t retried = 0;   ///< failed, and tried again
  std::uint64_t dead_lettered = 0;
  std::uint64_t parked = 0;      ///< dead-lettered without being tried, behind an earlier record of their key
  std::uint64_t without_id = 0;  ///< let through by a `dedup`, since it has nothing to tell it by
  std::vector<std::uint64_t> decided{};  ///< by each of `node_spec::deciders`
};

/// A letter's record on its way through the graph in which it has failed.
struct return_visit {
  const letter* of = nullptr;
  bool came = false;  ///< to the node that failed
};

/// What a record needs on its way through a graph.
struct transit {
  std::uint64_t active = ~std::uint64_t{0};  ///< bit i: emissions for sink i are wanted
  arena& written;                            ///< lives at least as long as the emissions
  std::vector<emission>& out;                ///< where they are appended
  std::int64_t wall_clock = 0;               ///< milliseconds since 1970 UTC
  const attempts* before = nullptr;
  dedup_memory* seen = nullptr;  ///< one for each of `plan::dedups`; nullptr: the graph has its own, of one partition
  /// Set: all that is wanted is what the node named in the letter, which is one of this graph's, makes of the record
  /// that it failed at. What other branches made of it was written then, and what stands before has let it through.
  return_visit* again = nullptr;
  keyed_state* const* kept = nullptr;     ///< one for each of `plan::processes`, of those whose sinks are wanted
  bool has_come = false;                  ///< the record was pushed into another entry before: calls take that back too
  const std::string* refused = nullptr;  ///< why what a call makes is not taken: it fails with that at its node
  const parked_keys* parked = nullptr;  ///< whose records do not get past their nodes
  /// Where nodes are appended at which the record parks its key; nullptr: keys are not parked, only dead-lettered.
  std::vector<std::string_view>* parks = nullptr;
  std::vector<omission>* omitted = nullptr;  ///< where omissions are appended, if anybody wants to say them
};

/// One instance of the operators, opened by one reader and used by one thread.
class graph {
 public:
  virtual ~graph() = default;

  /// Takes a record through all operators. What its emissions look at is the record's own buffer or `how.written`.
  /// nullopt: done. Otherwise nothing of this record was emitted, and the same record may be pushed again: the policy of
  /// the node is `stop`, or it wants just that.
  virtual std::optional<blame> push(const source_partition& from, const fetched_record& record, const transit& how) = 0;

  /// Lets the node of a process make a call. Otherwise as `push`.
  virtual std::optional<blame> call(std::uint32_t process, const source_partition& from, const keyed_state::alarm& due,
                                    const transit& how) = 0;

  /// When the record that was pushed last happened, by its source: what the clocks of dedups go by. -1: nobody knows.
  virtual std::int64_t time() const = 0;

  /// The next record of a bounded source, likewise; `end` when there is none left.
  enum class pulled { record, end };
  virtual tl::expected<pulled, blame> pull(std::uint32_t source, const transit& how) = 0;

  /// What each node has seen since the graph was opened, in the order of `plan::nodes`.
  virtual const std::vector<node_counts>& counts() const = 0;
};

/// How nodes hang together; what `describe` prints.
struct node_spec {
  std::string name;                ///< given, or made of the operator and a number
  std::string verb;                ///< filter, map, ...
  std::string note;                ///< topics, clusters, policy, in words
  std::vector<std::uint32_t> to;   ///< indexes of the nodes that it feeds
  std::vector<std::string> ports;  ///< labels of `to`, where a node has several kinds of outputs
  std::optional<std::uint32_t> returns_to{};  ///< the node that reads what this one writes
  std::vector<std::string> deciders{};  ///< of a node that counts who has decided about a record
};

/// A topology that has been checked. Immutable, shared by all workers.
class plan {
 public:
  virtual ~plan() = default;

  virtual const std::string& application() const = 0;
  virtual const std::vector<source_spec>& sources() const = 0;
  virtual const std::vector<sink_spec>& sinks() const = 0;
  virtual const std::vector<node_spec>& nodes() const = 0;
  virtual const std::vector<dedup_spec>& dedups() const = 0;
  virtual const std::vector<process_spec>& processes() const = 0;
  /// Topics joined by key: partition p of one must meet partition p of another in the same task. Each entry is a set
  /// of source indexes.
  virtual const std::vector<std::vector<std::uint32_t>>& co_partitioned() const = 0;
  virtual const std::vector<parking_spec>& parking() const = 0;
  virtual std::unique_ptr<graph> open() const = 0;
  /// What is written to a dead-letter topic in place of what was made of the record. It looks at the record and at
  /// `room`.
  virtual emission letter_for(const source_partition& from, const fetched_record& record, const refused_emission& what,
                              arena& room) const;
  /// Letters like this one are of keys that were parked, if they have a key.
  bool parks(const letter& what) const;
};

}  // namespace flow
