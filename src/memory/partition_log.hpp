#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include <flow/ports.hpp>

#include "records.hpp"

namespace flow::memory {

/// Who writes, as a cluster numbers it: a newer epoch of the same id fences the older ones.
struct producer_identity {
  std::int64_t id = -1;
  std::int32_t epoch = -1;

  bool operator==(const producer_identity&) const = default;
};

/// Some records of one stored batch: [first, last) of `records`.
struct log_slice {
  std::shared_ptr<const packed_records> records;
  std::size_t first = 0;
  std::size_t last = 0;
};

struct log_read {
  std::vector<log_slice> slices;
  std::int64_t next = 0;  ///< where reading goes on, past markers and what is not to be seen
  bool at_end = false;    ///< nothing more is to be seen now
};

/// One partition: batches of records and transaction markers, each at its offset for ever.
class partition_log {
 public:
  std::int64_t start() const { return start_; }
  std::int64_t high_watermark() const { return end_; }
  /// The first offset that belongs to an open transaction, else the high watermark.
  std::int64_t last_stable() const;
  std::int64_t visible_end(port::isolation isolated) const;
  /// The first offset whose timestamp is at least `time`, else the high watermark.
  std::int64_t at_time(std::int64_t time) const;

  /// `fenced` if a newer epoch of this producer has been seen here.
  result<void> admit(producer_identity who) const;
  bool in_transaction(producer_identity who) const { return open_.contains(who.id); }

  /// Stores the records behind the end and answers the first one's offset. The timestamps are taken as they are.
  std::int64_t append(producer_identity who, bool transactional, std::span<const fetched_record> records);
  /// Ends the transaction that `who` has open here, if any; the marker takes an offset in any case.
  void append_marker(producer_identity who, bool commit, std::int64_t timestamp);

  /// Reads on from `from`, whole batches until `most_bytes` are reached. `out_of_range` outside of what is there.
  result<log_read> read(std::int64_t from, port::isolation isolated, std::size_t most_bytes) const;

  /// Everything below `new_start` is gone.
  void truncate(std::int64_t new_start);
  /// Of what is stable, keeps the last record of each key at its offset, tombstones too, and drops what was aborted.
  void compact();

 private:
  enum class fate { open, committed, aborted, marker };
  struct batch {
    std::int64_t base;
    std::int64_t last;
    std::int64_t timestamp;  ///< of a marker
    producer_identity who;
    fate end;
    std::shared_ptr<const packed_records> records;
  };

  std::deque<batch>::const_iterator first_reaching(std::int64_t offset) const;
  void know(producer_identity who);

  std::deque<batch> batches_;
  std::int64_t start_ = 0;
  std::int64_t end_ = 0;
  std::map<std::int64_t, std::int64_t> open_;    ///< producer id → its open transaction's first offset
  std::map<std::int64_t, std::int32_t> epochs_;  ///< producer id → newest epoch seen here
};

}  // namespace flow::memory
