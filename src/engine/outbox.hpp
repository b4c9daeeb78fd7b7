#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "lane.hpp"
#include "routes.hpp"

#include <flow/plan.hpp>
#include <flow/ports.hpp>

namespace flow::engine {

std::size_t size_of(bytes key, bytes value, std::span<const header> headers);

/// A record of a source partition, or a call of a process before it.
struct source_record {
  const source* from = nullptr;
  std::int64_t offset = -1;
  std::uint64_t call = 0;  ///< tells calls apart; 0: the record

  bool operator==(const source_record&) const = default;
};

/// What keeps a batch's records alive until the last of them has been handed to its producer.
struct held {
  std::shared_ptr<const void> buffers;
  arena written;
  std::size_t size = 0;
};

/// Records that wait to be sent to one target.
class outbox {
 public:
  /// Everything that is made of one source record is appended in one go.
  void append(const route& to, const emission& what, source_record from, const std::shared_ptr<held>& by);
  /// Keeps what no batch does, until it is taken.
  const std::shared_ptr<held>& own();

  bool empty() const { return waiting_.empty(); }
  /// Bytes that are kept from being freed.
  std::size_t size() const { return held_; }
  /// Source records that something waiting was made of.
  std::size_t records() const { return records_; }
  /// The newest of them.
  const source_record& latest() const { return latest_record_; }
  outgoing take();
  void drop();

 private:
  outgoing waiting_;
  // Operators may write more for the records that follow.
  struct counted {
    const held* of;
    std::size_t size;
  };
  std::vector<counted> counted_;
  std::size_t held_ = 0;
  std::shared_ptr<held> own_;
  std::size_t records_ = 0;
  source_record latest_record_;
};

}  // namespace flow::engine
