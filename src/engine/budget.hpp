#pragma once

#include <algorithm>
#include <cstddef>
#include <string>

#include "targets.hpp"

#include <flow/plan.hpp>

namespace flow::engine {

/// Who shares an application's memory.
struct sharers {
  std::size_t workers = 1;
  std::size_t targets = 1;  ///< clusters that each worker writes to, and ordered sinks
  bool looks_back = false;  ///< for what the topology's dedups have to know
  bool releases = false;    ///< what it has parked

  /// One reads for all, one for each target that has fallen behind, one for each that releases, and one looks back.
  constexpr std::size_t readers() const { return 1 + targets * (releases ? 2 : 1) + (looks_back ? 1 : 0); }
};

inline sharers sharers_of(const plan& topology, const std::string& home_cluster, std::size_t workers) {
  return {workers, std::max<std::size_t>(targets_of(topology, home_cluster).size(), 1), !topology.dedups().empty(),
          !topology.parking().empty()};
}

/// What one worker may buffer: of `memory`, which is for everything that all workers buffer for all targets together.
/// This is where it is shared out, and nowhere else.
///
/// All readers may be full at once, each with records that nobody has polled. And a target may be slow with all that it
/// has: as much as a transaction holds waits in its outbox for the next one, two may be in its client's hands, since
/// the last batch may double a transaction, and one is on its way from here to there. So half of a worker's share is
/// for its readers, and what is left for its targets, four transactions each.
struct budget {
  std::size_t reader = 32u << 20;       ///< bytes that may wait in one reader
  std::size_t batch = 1u << 20;         ///< bytes that a reader delivers at once, and that outlive it as a whole
  std::size_t transaction = 32u << 20;  ///< bytes that may wait for one target, and bytes of one transaction at most

  /// A fetch brings a megabyte at least, and the next one is asked for while the last is looked at.
  static constexpr std::size_t least_reader = 2u << 20, least_transaction = 64u << 10;
  /// Beyond that more is only read ahead, and a client has a bound of its own.
  static constexpr std::size_t most_reader = 256u << 20, most_transaction = 64u << 20, most_batch = 1u << 20;
  static constexpr std::size_t transactions_per_target = 4;

  /// Memory below which nothing of this can be kept.
  static constexpr std::size_t least(const sharers& among) {
    return among.workers *
           (among.readers() * least_reader + among.targets * transactions_per_target * least_transaction);
  }

  static constexpr budget share_out(std::size_t memory, const sharers& among) {
    const auto own = std::max(memory, least(among)) / among.workers;
    const auto reader = std::clamp(own / 2 / among.readers(), least_reader, most_reader);
    const auto left = own - reader * among.readers();
    const auto transaction =
        std::clamp(left / (among.targets * transactions_per_target), least_transaction, most_transaction);
    return {reader, std::min(most_batch, transaction / 4), transaction};
  }
};

}  // namespace flow::engine
