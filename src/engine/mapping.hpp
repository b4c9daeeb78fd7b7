#pragma once

#include <cstdint>
#include <string_view>

#include <flow/wire.hpp>

namespace flow::engine {

/// Which task a source partition belongs to: a pure function whose id stands in every position, because a lane that
/// changed its partitions would repeat or lose records.
struct mapping {
  std::string_view id;
  std::int32_t (*task_of)(const topic_partition& where, std::int32_t tasks);
};

/// Spreads topics and their partitions evenly; for topologies in which no two topics have to meet.
const mapping& spread();
/// Partition number modulo tasks, so that equal partitions of joined topics meet.
const mapping& by_number();

}  // namespace flow::engine
