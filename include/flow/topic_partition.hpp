#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace flow {

/// A partition of a topic, on a cluster that is known from elsewhere.
struct topic_partition {
  std::string topic;
  std::int32_t partition = 0;

  auto operator<=>(const topic_partition&) const = default;
};

/// "topic/partition"
inline std::string to_string(const topic_partition& where) {
  return where.topic + "/" + std::to_string(where.partition);
}

}  // namespace flow
