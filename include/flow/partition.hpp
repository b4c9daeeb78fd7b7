#pragma once

#include <cstdint>

#include <flow/bytes.hpp>
#include <flow/plan.hpp>

namespace flow {

/// Into which partition a sink writes.
enum class partition {
  automatic,  ///< kept while the key is the source's, by_key once it has been changed
  kept,       ///< the one that the record came from
  by_key      ///< where Java's clients would put the key; without a key as kept
};

inline constexpr partition kept = partition::kept;
inline constexpr partition by_key = partition::by_key;

/// Modulo the number of partitions this is the one that Kafka's Java clients choose for a key: murmur2, made positive.
std::uint32_t key_hash(bytes key);

/// Sends an emission that so far keeps its partition to the one of its key, if it has a key.
void place_by_key(emission& e);
/// To partition `number` modulo the number of partitions.
inline void place_by_number(emission& e, std::uint32_t number) {
  e.how = emission::partitioning::hashed;
  e.hash = number;
}

}  // namespace flow
