#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "visit.hpp"

#include <flow/dead_letters.hpp>

namespace flow {

/// Counts what lies in the dead-letter topics of one cluster, and how much of it has been replayed.
class tally {
 public:
  tally(visit& by, std::string cluster) : by_{by}, cluster_{std::move(cluster)} {}

  /// By topic. A cluster that cannot be asked how far a replay has come fails nothing.
  result<std::vector<letters_in>> run();

 private:
  void ask_for_replays(const std::vector<topic_partition>& partitions,
                       const std::map<topic_partition, inquiry::range>& there);
  void add(const topic_partition& where, const fetched_record& record);
  std::optional<bool> is_replayed(const topic_partition& where, const letter& what, const fetched_record& record) const;

  visit& by_;
  std::string cluster_;
  std::map<letter_kind, std::map<topic_partition, std::int64_t>> replayed_;  // of those that are known: up to where
  std::optional<std::map<topic_partition, engine::parking>> parked_;
  std::map<std::string, letters_in> topics_;
};

}  // namespace flow
