#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <flow/arena.hpp>
#include <flow/bytes.hpp>
#include <flow/wire.hpp>

/// What the engine sees of a topology: sources, sinks, and a graph between them. Typed streams end here.
namespace flow {

/// The name that stands for the cluster that is read, whatever an application calls it.
inline constexpr std::string_view home = "home";

/// Where reading begins; counts only where no position exists yet.
struct start_at {
  enum class kind { earliest, latest, time };
  kind where = kind::earliest;
  std::int64_t time = 0;  ///< milliseconds since 1970 UTC

  auto operator<=>(const start_at&) const = default;
};

struct source_spec {
  std::string name{};                  ///< the node's
  std::vector<std::string> include{};  ///< topic names, or regular expressions matched whole
  std::vector<std::string> exclude{};
  std::optional<start_at> start{};     ///< unless set, the application's
  bool bounded = false;              ///< a range: `graph::pull` makes its records, no topic does
};

/// Where the records of one sink go on each of its clusters.
struct sink_spec {
  enum class naming {
    fixed,      ///< `topic` is the name
    pattern,    ///< `topic` with {topic} and {source} (the home cluster's name) replaced
    by_record,  ///< each emission carries the name
    nowhere     ///< user code is the sink (`for_each`); only the position is kept, on home
  };
  std::string name{};                   ///< the node's
  std::vector<std::string> clusters{};  ///< at least one; `home` for the one that is read
  naming names = naming::fixed;
  std::string topic{};
  bool keeps_partition = false;       ///< needs as many partitions as the source topic has
  bool create = true;                 ///< a missing topic is created, partitioned as the source topic
  bool skips_refused = false;         ///< what a cluster refuses is passed over and counted; else its partition stops
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
};

/// Where a record comes from, as user code and dead letters see it.
struct source_partition {
  std::uint32_t source = 0;  ///< index into `plan::sources`
  std::string cluster;
  std::string topic;
  std::int32_t partition = 0;
};

/// Why a record did not get through, and at which node.
struct blame {
  std::string node;
  std::string reason;
};

struct node_counts {
  std::uint64_t received = 0;
  std::uint64_t dropped = 0;  ///< by decision of the operator (`filter`)
  std::uint64_t skipped = 0;  ///< failed and passed over (`on_failure(skip)`)
  std::vector<std::uint64_t> decided{};  ///< by each of `node_spec::deciders`
};

/// One instance of the operators, opened by one reader and used by one thread.
class graph {
 public:
  virtual ~graph() = default;

  /// Takes a record through all operators. Emissions are appended to `out` for those sinks whose bit is set in
  /// `active`; what they look at is the record's own buffer or `written`. nullopt: done. Otherwise the policy of the
  /// node is `stop`: nothing of this record was emitted and the same record may be pushed again.
  virtual std::optional<blame> push(const source_partition& from, const fetched_record& record, std::uint64_t active,
                                    arena& written, std::vector<emission>& out) = 0;

  /// The next record of a bounded source, likewise; `end` when there is none left.
  enum class pulled { record, end };
  virtual tl::expected<pulled, blame> pull(std::uint32_t source, std::uint64_t active, arena& written,
                                           std::vector<emission>& out) = 0;

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
  /// Topics joined by key: partition p of one must meet partition p of another in the same task. Each entry is a set
  /// of source indexes.
  virtual const std::vector<std::vector<std::uint32_t>>& co_partitioned() const = 0;
  virtual std::unique_ptr<graph> open() const = 0;
};

}  // namespace flow
