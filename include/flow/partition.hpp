#pragma once

#include <cstdint>

#include <flow/bytes.hpp>
#include <flow/plan.hpp>

namespace flow {

/// Into which partition a sink writes: `automatic`, `kept` or `by_key`.
class partition {
 public:
  enum class kind {
    automatic,  ///< kept while the key is the source's, by_key once it has been changed
    kept,       ///< the one that the record came from
    by_key      ///< where Java's clients would put the key; without a key as kept
  };

  constexpr explicit partition(kind what) : kind_{what} {}
  /// A text where one of the names belongs.
  template <std::size_t N>
  constexpr partition(const char (&)[N]) : kind_{} {
    static_assert(N == 0, "flow: a partition is automatic, kept or by_key");
  }

  bool operator==(const partition&) const = default;

 private:
  kind kind_;
};

inline constexpr partition automatic{partition::kind::automatic};
inline constexpr partition kept{partition::kind::kept};
inline constexpr partition by_key{partition::kind::by_key};

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
