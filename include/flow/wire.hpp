#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <flow/arena.hpp>
#include <flow/bytes.hpp>
#include <flow/failure.hpp>
#include <flow/topic_partition.hpp>

/// Records as bytes, the way they come from a cluster and go to one. Everything here is a view; a batch holds what its
/// records look at.
namespace flow {

/// A record's header. Keys may repeat, order counts, a value may be null.
struct header {
  std::string_view key;
  bytes value;

  bool operator==(const header&) const = default;
};

/// What a client keeps beside the bytes of each record, about: what is counted without it is a multiple of what was
/// meant where records are small.
inline constexpr std::size_t kept_beside_each = 512;

/// Number of a source partition within one reader, chosen by whoever assigns it.
using source_id = std::uint32_t;

/// A record of a source partition.
struct fetched_record {
  source_id source = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;  ///< milliseconds since 1970 UTC, as the record carries it
  bytes key;
  bytes value;
  std::span<const header> headers;
};

/// Everything up to `next` has been delivered, and nothing more is there now; `next` lies past commit markers and
/// aborted records, and below the first record of a transaction that is still open.
struct reached_end {
  source_id source = 0;
  std::int64_t next = 0;
};

/// Why nothing more of a source partition is delivered until it is assigned anew.
struct source_failure {
  source_id source = 0;
  failure why;
};

/// What one poll of a reader delivers. Per source partition records are in offset order, and an end stands behind the
/// records it follows. `buffers` keeps alive what the records look at.
struct fetched {
  std::vector<fetched_record> records;
  std::vector<reached_end> ends;
  std::vector<source_failure> failures;
  std::shared_ptr<const void> buffers;

  void clear() { records.clear(), ends.clear(), failures.clear(), buffers.reset(); }
  bool empty() const { return records.empty() && ends.empty() && failures.empty(); }
};

/// Number of an output topic within one producer; see `port::producer::topic`.
using topic_id = std::uint32_t;

/// A record on its way to a partition of one cluster.
struct outgoing_record {
  topic_id topic = 0;
  std::int32_t partition = 0;
  std::int64_t timestamp = 0;
  bytes key;
  bytes value;
  std::span<const header> headers;
  bool wants_offset = false;  ///< the offset that it got is part of the commit's answer
};

/// Records on their way to one cluster, in the order in which each partition gets them, and what they look at.
struct outgoing {
  std::vector<outgoing_record> records;
  std::vector<std::shared_ptr<const void>> buffers;
  std::size_t size = 0;  ///< bytes of all keys, values and headers

  bool empty() const { return records.empty(); }
};

}  // namespace flow
