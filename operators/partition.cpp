#include <flow/partition.hpp>

#include <cstddef>

namespace flow {
namespace {

std::uint32_t byte_at(const char* data, std::size_t i) {
  return static_cast<unsigned char>(data[i]);
}

/// MurmurHash2 by Austin Appleby, little-endian, with the seed of Kafka's Java clients.
std::uint32_t murmur2(const char* data, std::size_t size) {
  constexpr std::uint32_t seed = 0x9747b28c;
  constexpr std::uint32_t factor = 0x5bd1e995;

  std::uint32_t hash = seed ^ static_cast<std::uint32_t>(size);
  for (; size >= 4; data += 4, size -= 4) {
    std::uint32_t word = byte_at(data, 0) | byte_at(data, 1) << 8 | byte_at(data, 2) << 16 | byte_at(data, 3) << 24;
    word *= factor;
    word ^= word >> 24;
    hash = hash * factor ^ word * factor;
  }
  if (size >= 3) hash ^= byte_at(data, 2) << 16;
  if (size >= 2) hash ^= byte_at(data, 1) << 8;
  if (size >= 1) hash = (hash ^ byte_at(data, 0)) * factor;
  hash = (hash ^ hash >> 13) * factor;
  return hash ^ hash >> 15;
}

}  // namespace

std::uint32_t key_hash(bytes key) {
  return murmur2(key.data(), key.size()) & 0x7fffffff;
}

void place_by_key(emission& e) {
  place_by_number(e, e.key.is_null() ? static_cast<std::uint32_t>(e.partition) : key_hash(e.key));
}

}  // namespace flow
