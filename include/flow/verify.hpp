#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <flow/app.hpp>
#include <flow/status.hpp>
#include <flow/topic_partition.hpp>

namespace flow {

/// The first place at which a partition does not hold what it should.
struct difference {
  enum class kind {
    missing,    ///< the record that belongs there
    repeated,   ///< the record there was there before
    reordered,  ///< the record there comes too early
    changed,    ///< the record there has another `part`
    unexpected  ///< the record there is none of those that belong into this partition
  };
  kind what = kind::missing;
  std::optional<std::int64_t> offset{};       ///< there; none: behind all of its records
  topic_partition from{};                     ///< where the record that is missing, repeated, ... lies at home
  std::optional<std::int64_t> from_offset{};  ///< none: that is not known
  std::string_view part{};                    ///< "key", "value", "timestamp" or "headers"

  bool operator==(const difference&) const = default;
};

/// "offset 17 of orders/0 is missing, before offset 21"
std::string to_string(const difference& what);

/// Many records: the digest is the same for the same ones, whatever their order, and no proof against a forger.
struct content {
  std::uint64_t records = 0;
  std::string digest;

  bool operator==(const content&) const = default;
};

/// A partition that a topology writes, as it is and as it should be.
struct verified_partition {
  std::string cluster;
  topic_partition where;
  content found;
  content expected;                   ///< of what its lanes have passed
  std::uint64_t behind = 0;           ///< accepted, and not written yet
  std::uint64_t set_aside = 0;        ///< neither there nor missing: letters that wait for a replay
  std::uint64_t gone = 0;             ///< before the first of `found`: taken away by its retention
  std::uint64_t gone_at_home = 0;     ///< the first of `found`, not compared: with what is gone from where it was read
  bool by_key = false;                ///< compacted, there or at home: only the last record of each key is compared
  /// Of what it comes from: the topology stops there, or what is next there is gone. What is behind waits.
  std::vector<halted_partition> stopped{};
  std::optional<difference> first{};  ///< none: it holds what it should
};

/// How a topology is verified.
struct verify_options {
  std::optional<std::string> cluster{};  ///< only what is written there
  std::stop_token stop{};
};

/// Compares what a topology has written with what it should have: reads its sources to their ends, from where its lanes
/// began, takes their records through the operators as the topology has them now, and reads what is on each cluster
/// beside. Each record has to be there once and as it was, those of one source partition in their order. Works beside
/// the running application, and writes nothing.
///
/// `see` is called for each partition of each topic of `to` and `fan_out`, and for the letters at home of what has
/// failed on its way; what goes to a topic that a record names, to user code or to an ordered sink is not compared.
/// What lies in a dead-letter topic of a cluster, because that does not take it or because its key is parked, may be in
/// its topic later, or not yet. Records that the retention of either side has taken away are counted, and nothing else
/// is known of them. Holds a batch of each side in memory, 48 bytes for each record that cannot be compared yet (where
/// a partition is written from several: that may be many), as much for each letter and each key of a compacted topic,
/// and what the dedups keep.
///
/// Blocks. Every wait has a limit; `timed_out` if a cluster does not answer, `retriable` if it was told to stop,
/// `refused` for a topology with `repartition`, `async_map` or `process`, of whose records nothing is left where they
/// went through, and where the application would not run either: a target that is home, or another target, by another
/// name. `missing` if a topic is not there that a source names, or if there is nothing to compare.
/// @throws topology_error as an `app` of the same does.
result<void> verify(const topology& of, app_options where, const std::function<void(const verified_partition&)>& see,
                    verify_options how = {});

}  // namespace flow
