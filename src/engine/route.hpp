#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <flow/wire.hpp>

namespace flow::engine {

/// An output topic, as far as it decides whether and where a record can be written.
struct route {
  topic_id topic = 0;
  std::string name;
  std::int32_t partitions = 0;
  std::size_t largest_record = 0;      ///< bytes; max.message.bytes
  std::int64_t furthest_ahead = 0;     ///< milliseconds; message.timestamp.after.max.ms
  std::int64_t furthest_behind = 0;    ///< milliseconds; message.timestamp.before.max.ms
  bool needs_key = false;              ///< a compacted topic
  bool is_growing = false;             ///< partitions that it lacks are on their way
  bool outside = false;                ///< to no topic, but to the destination of an ordered sink
  std::string forbidden{};             ///< why nothing is written there; empty: it may

  bool operator==(const route&) const = default;
};

}  // namespace flow::engine
