#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <flow/failure.hpp>
#include <flow/plan.hpp>
#include <flow/wire.hpp>

/// What a running application says of itself: values, taken at one moment.
namespace flow {

/// A source partition that goes no further on one target, until its lane is taken over anew, as by a start.
struct halted_partition {
  topic_partition where;
  std::int64_t offset = 0;  ///< the first that is not written
  std::string why;

  bool operator==(const halted_partition&) const = default;
};

/// What is parked at one node.
struct parked_at {
  std::string node;
  std::uint64_t keys = 0;

  bool operator==(const parked_at&) const = default;
};

/// One worker's work on one cluster that it writes to.
struct target_status {
  std::string cluster;
  std::string sink{};               ///< with lanes of its own there (`ordered_sink`); empty: all the others
  std::vector<std::int32_t> lanes;  ///< owned, and running unless it is paused
  bool ready = false;               ///< its lanes are being written
  std::optional<std::uint64_t> limit{};  ///< bytes per second that this worker's share of it takes at most
  bool paused = false;              ///< by `app::pause`: nothing is read for it or written to it
  bool removed = false;             ///< by `app::remove`: it has left the group as well
  std::optional<failure> trouble;   ///< what keeps it from going on; it tries again unless the kind is `refused`
  std::vector<halted_partition> halted;
  std::vector<parked_at> parked{};  ///< by its lanes, and not released yet
  std::uint64_t kept_keys = 0;      ///< of which its lanes keep something (`process`)
  std::uint64_t commits = 0;
  std::uint64_t records_written = 0;  ///< or delivered
  std::uint64_t bytes_written = 0;
  std::uint64_t retried = 0;          ///< deliveries that failed and came again
  std::uint64_t records_refused = 0;  ///< passed over by `on_failure(skip)`
  std::uint64_t dead_letters = 0;     ///< written in place of records that it does not take
  std::uint64_t rebalances = 0;
  std::size_t buffered = 0;           ///< bytes
};

/// One worker: what it reads, and what it writes to each cluster.
struct worker_status {
  std::string instance;
  std::vector<target_status> targets;
  std::vector<node_counts> nodes;  ///< in the order of the topology's nodes
  std::optional<failure> trouble;  ///< with the cluster that is read
  /// Bytes that what the dedups of all workers of the process have seen takes; up to some seconds old.
  std::size_t seen_in_memory = 0;
  std::uint64_t seen_on_disk = 0;  ///< beside the state directory's, which is all of it
};

/// Where an app stands. `stopped` and `failed` are the last.
enum class app_phase { created, running, stopping, stopped, failed };

/// What an app says of itself.
struct app_status {
  app_phase phase = app_phase::created;
  std::vector<worker_status> workers;  ///< one for each thread; without targets until it has told of itself
  std::optional<failure> ended;  ///< why it failed

  /// Every target of every worker is being written, and no partition has stopped. What is paused or removed is not
  /// looked at: somebody wants it so.
  bool ready() const {
    if (phase != app_phase::running) return false;
    for (const auto& worker : workers) {
      if (worker.trouble || worker.targets.empty()) return false;
      for (const auto& target : worker.targets) {
        if (target.paused || target.removed) continue;
        if (!target.ready || target.trouble || !target.halted.empty()) return false;
      }
    }
    return !workers.empty();
  }
};

}  // namespace flow
