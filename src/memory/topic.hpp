#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <flow/failure.hpp>

#include "partition_log.hpp"
#include "waiting_room.hpp"

namespace flow::memory {

using settings_map = std::map<std::string, std::string>;

/// Bytes that a client sends at once unless it is told otherwise: the default of librdkafka's batch.size.
constexpr std::size_t default_batch = 1'000'000;

/// What a cluster uses where neither it nor the topic says anything else: Kafka's own defaults.
const settings_map& default_settings();

struct partition {
  partition_log log;
  waiting_room changed;  ///< woken when there is more to see
};

/// A topic: its partitions, and what it accepts.
class topic {
 public:
  /// @throws std::invalid_argument if a number among the settings is none.
  topic(std::int32_t partitions, settings_map settings);

  const settings_map& settings() const { return settings_; }
  std::int32_t partitions() const { return static_cast<std::int32_t>(partitions_.size()); }
  void grow(std::int32_t total);
  /// @throws as the constructor does, and has changed nothing then.
  void change(const settings_map& settings);
  partition* find(std::int32_t number);  ///< null: there is none

  /// Whether the topic takes every one of these records at this time of day, sent in batches of so many bytes, single
  /// records aside. It takes a batch whole or not at all.
  result<void> accept(std::span<const fetched_record> records, std::size_t largest_batch, std::int64_t now) const;
  /// The timestamps that the records are stored with.
  void stamp(std::span<fetched_record> batch, std::int64_t now) const;

 private:
  void obey();

  settings_map settings_;
  std::size_t most_bytes_ = 0;
  std::int64_t furthest_ahead_ = 0;  ///< milliseconds by which a timestamp may lie in the future
  bool compacted_ = false;
  bool stamps_ = false;
  std::vector<std::unique_ptr<partition>> partitions_;
};

}  // namespace flow::memory
