#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "engine/names.hpp"
#include "engine/position.hpp"
#include "inquiry.hpp"

#include <flow/dead_letter.hpp>
#include <flow/plan.hpp>
#include <flow/status.hpp>

namespace flow {

/// A topic as it is there: how many partitions, and what says how its records may differ.
struct described_topic {
  std::int32_t partitions = 0;
  bool is_compacted = false;
  bool stamps = false;  ///< its records have timestamps of its own
};

/// A partition of the sources, and where its records go.
struct source_at_home {
  topic_partition where;
  std::vector<source_partition> entries{};
  std::int64_t first = 0;      ///< that is still there
  std::int64_t was_first = 0;  ///< before the lanes were asked how far they have come
  std::int64_t end = 0;
};

/// A partition that is written, and who writes it.
struct output {
  std::string cluster;
  topic_partition where;
  std::vector<std::size_t> sources{};  ///< indexes
  bool takes_letters = false;
  bool stamps = false;
  bool is_compacted = false;
  std::int64_t first = 0;
  std::int64_t end = 0;
};

/// What is known of one cluster.
struct known_cluster {
  std::map<std::string, described_topic> topics{};
  std::map<topic_partition, engine::source_position> places{};
  std::map<topic_partition, std::set<std::int64_t>> letters{};  ///< offsets at home of what lies in dead letters there
};

/// What is known of a topology's sources and outputs before either is read: which partitions there are and who writes
/// them, how far each goes and how far its lanes have come, and what lies in dead letters.
struct survey {
  std::shared_ptr<const plan> what;
  engine::names names;
  std::vector<std::vector<std::string>> written;  ///< by sink: the clusters on which its topics are compared
  std::map<std::string, described_topic> topics_at_home{};
  std::vector<source_at_home> sources{};
  std::vector<output> outputs{};
  std::map<std::string, known_cluster> clusters{};
  std::map<topic_partition, std::set<std::int64_t>> failed{};  ///< offsets of what has failed for every cluster

  /// How far the lanes of a cluster have come with a source partition; nullptr: they have not begun.
  const engine::source_position* place(const std::string& cluster, const topic_partition& of) const;
  /// Where the lanes of a cluster go no further, since what is next is not there any more.
  std::optional<halted_partition> lost(const std::string& cluster, const source_at_home& of) const;
  /// The first offset that is read for a cluster.
  std::int64_t begin_of(const std::string& cluster, const source_at_home& of) const;
  /// Of a topic that is not there yet: those that it will have.
  std::int32_t partitions_of(const std::string& cluster, const std::string& topic, const source_at_home& from) const;
  /// The letter is of a record that has failed on its way, as it would again.
  bool foresees(const letter& of) const;
  /// Sources that lead to one partition are in one group, by their indexes.
  std::vector<std::vector<std::size_t>> groups() const;
};

/// Asks home and all clusters that the topology writes, or only this one of them. The application may be running: its
/// positions are asked for first, then the ends of what it has written, so that these hold what those have passed; then
/// its letters, which hold what is not there; and the ends of what it reads at last. `missing` for a topic that a
/// source names, and if there is nothing to compare; `refused` where the application would not run either, since two
/// names are those of one cluster.
result<survey> survey_of(std::shared_ptr<const plan> what, const engine::names& whose,
                         const std::optional<std::string>& only, inquiries& by);

}  // namespace flow
