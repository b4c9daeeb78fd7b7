#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <flow/bytes.hpp>

/// What a `dedup` knows of one source partition. Verdicts are a function of the source alone: whoever judges a record,
/// however often, and wherever else reading has come to by then, comes to the same one.
namespace flow {

/// The time of a source partition: the highest timestamp so far, in milliseconds since 1970 UTC. One absurd clock does
/// not move it: a timestamp further ahead than `skew` counts only once sixteen in a row are, and then the lowest of
/// them; and it begins when two in a row agree.
class stream_clock {
 public:
  static constexpr std::int64_t unset = std::numeric_limits<std::int64_t>::min();

  void see(std::int64_t timestamp, std::chrono::milliseconds skew);
  /// `unset` until it has begun.
  std::int64_t now() const { return time; }
  /// What it might begin with, before it has.
  std::int64_t guess() const { return time == unset ? candidate : time; }

  std::int64_t time = unset;
  std::int64_t candidate = unset;
  std::int32_t ahead = 0;

  bool operator==(const stream_clock&) const = default;
};

/// Once an id was there.
struct occurrence {
  std::uint64_t high = 0, low = 0;  ///< the id, as a hash of 128 bits that nobody can compute who does not know the key
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;

  bool operator==(const occurrence&) const = default;
};

/// An id as occurrences have it, by the key of a `seen_ids`; at no place yet.
occurrence hashed(bytes id, const std::string& key);

/// What would decide lies on disk, and cannot be read now. The same may be asked again.
struct unanswered : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class spill;

/// The occurrences of ids in one source partition, in slices of time that are forgotten as a whole. About 22 bytes for
/// each, or 0.6 and 32 on disk. Not for use by two threads at once.
class seen_ids {
 public:
  /// `key`: 192 random bytes at least, the same for all whose occurrences are exchanged. `beyond`: what they share
  /// memory with, and where what does not fit into it goes; nullptr: all of it fits.
  seen_ids(std::chrono::milliseconds window, std::string key, spill* beyond = nullptr);
  ~seen_ids();
  seen_ids(seen_ids&&) noexcept;
  seen_ids& operator=(seen_ids&&) noexcept;

  /// True if the id was there at an earlier offset, at most the window apart in time, and not more than the window
  /// behind `now`, the stream's time at this record. Remembers this occurrence too.
  /// @throws unanswered: nothing has been remembered.
  bool judge(bytes id, std::int64_t offset, std::int64_t timestamp, std::int64_t now);
  /// What `judge` took in, elsewhere or earlier.
  /// @throws unanswered: perhaps not all of it is in; what is may be inserted again.
  void insert(std::span<const occurrence> all);
  /// What happened before `timestamp` is not needed any more.
  void forget_before(std::int64_t timestamp);
  /// The lowest offset of what happened at `timestamp` or later, or up to a 64th of the window before; the highest
  /// number that there is if nothing did.
  std::int64_t first_since(std::int64_t timestamp) const;
  /// To be called now and then, such as for every few thousand ids: moves some of it to disk if there is too much in
  /// memory, and tidies up there. What the disk does not take stays; it is tried again, less and less often.
  void make_room();

  /// What `judge` has remembered since the last call, in the order of its calls.
  std::vector<occurrence> take_new() { return std::exchange(new_, {}); }
  std::size_t count_of_new() const { return new_.size(); }
  std::chrono::milliseconds window() const { return window_; }
  std::size_t size() const;
  /// Bytes.
  std::size_t memory() const;

 private:
  class slice;

  slice& slice_at(std::int64_t timestamp);

  std::chrono::milliseconds window_;
  std::int64_t step_;
  std::string key_;
  struct slices;
  std::unique_ptr<slices> slices_;
  std::vector<occurrence> new_;
};

}  // namespace flow
