#include "digest.hpp"

#include <array>
#include <cstdio>

#include <xxhash.h>

namespace flow::engine {
namespace {

std::uint64_t hash(bytes part, std::uint64_t seed = 0) {
  return XXH3_64bits_withSeed(part.data(), part.size(), 2 * seed + (part.is_null() ? 1 : 0));
}

}  // namespace

digest digest_of(bytes key, bytes value, std::int64_t timestamp, std::span<const header> headers) {
  std::uint64_t all = headers.size();
  for (const auto& each : headers) all = hash(each.value, hash(bytes{each.key}, all));
  return {hash(key), hash(value), all, timestamp};
}

std::uint64_t digest_of(std::span<const bytes> parts) {
  std::uint64_t all = parts.size();
  for (const auto& each : parts) all = hash(each, all);
  return all;
}

void digest_sum::add(const digest& what) {
  const std::array<std::uint64_t, 4> parts{what.key, what.value, what.headers,
                                           static_cast<std::uint64_t>(what.timestamp)};
  const auto of_all = XXH3_128bits(parts.data(), sizeof parts);
  ++count_;
  low_ += of_all.low64;
  high_ += of_all.high64;
}

std::string digest_sum::text() const {
  std::array<char, 33> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx%016llx", static_cast<unsigned long long>(high_),
                static_cast<unsigned long long>(low_));
  return digits.data();
}

}  // namespace flow::engine
