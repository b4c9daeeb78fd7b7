#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "huge_pages.hpp"
#include "occurrence_table.hpp"

#include <flow/seen_ids.hpp>

namespace flow {

/// Occurrences in the order of their hashes, without gaps, each in as few bytes as it takes. They do not change.
///
/// The first bits of a hash say in which of many ranges it lies, and a directory where that range begins. The next
/// eight bits, its tag, stand beside those of its neighbours, so that one cache line nearly always tells that an id is
/// not there. Entries have the rest: all other bits of the hash, offset and time.
class packed_occurrences {
 public:
  class reader;

  static constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();

  packed_occurrences() = default;
  // What points into the bytes goes with them.
  packed_occurrences(packed_occurrences&&) = default;
  packed_occurrences& operator=(packed_occurrences&&) = default;
  /// All of both, which are `most` together.
  packed_occurrences(const packed_occurrences& some, const occurrence_table& others);

  /// Without those before `timestamp`.
  packed_occurrences since(std::int64_t timestamp) const;

  /// These two before `any`, so that what many searches wait for comes together.
  void prefetch_directory(std::uint64_t high) const {
    if (size_ > 0) __builtin_prefetch(directory_ + layout_.range_of(high));
  }
  void prefetch_tags(std::uint64_t high) const {
    if (size_ > 0) __builtin_prefetch(tags_ + directory_[layout_.range_of(high)]);
  }
  /// True as soon as `is_wanted` is of one that has the id of `what`.
  template <typename Wanted>
  bool any(const occurrence& what, Wanted is_wanted) const {
    if (size_ == 0) return false;
    const auto range = layout_.range_of(what.high);
    const auto tag = layout_.tag_of(what.high);
    const auto end = directory_[range + 1];
    for (auto i = next_alike(tag, directory_[range], end); i < end; i = next_alike(tag, i + 1, end)) {
      const auto found = at(range, i);
      if (hash_of(found) == hash_of(what) && is_wanted(found)) return true;
    }
    return false;
  }

  std::size_t size() const { return size_; }
  /// Bytes.
  std::size_t memory() const { return bytes_.size(); }

 private:
  struct extent {
    std::int64_t first = std::numeric_limits<std::int64_t>::max(), last = std::numeric_limits<std::int64_t>::min();
    void take_in(std::int64_t number) { first = std::min(first, number), last = std::max(last, number); }
  };
  /// How an entry is written: low half of the hash, what is left of the high one, offset and time behind the lowest.
  struct layout {
    unsigned range_bits = 1;
    unsigned rest_bytes = 0, offset_bytes = 0, time_bytes = 0;
    std::int64_t first_offset = 0, first_time = 0;

    std::uint64_t range_of(std::uint64_t high) const { return high >> (64 - range_bits); }
    unsigned rest_bits() const { return 64 - range_bits - tag_bits; }
    std::uint8_t tag_of(std::uint64_t high) const { return static_cast<std::uint8_t>(high >> rest_bits()); }
    std::size_t bytes() const { return sizeof(occurrence::low) + rest_bytes + offset_bytes + time_bytes; }
    void write(const occurrence& what, std::uint8_t* place) const;
    occurrence read(std::uint64_t range, std::uint8_t tag, const std::uint8_t* place) const;
  };

  std::uint32_t next_alike(std::uint8_t tag, std::uint32_t from, std::uint32_t end) const;
  occurrence at(std::uint64_t range, std::uint32_t number) const;
  template <typename See>
  void walk(See see) const;
  template <typename All>
  void fill(All all);

  static constexpr unsigned tag_bits = 8;

  std::uint32_t size_ = 0;
  layout layout_;
  extent offsets_, times_;
  std::vector<std::byte, huge_pages<std::byte>> bytes_;
  std::uint32_t* directory_ = nullptr;
  std::uint8_t* tags_ = nullptr;
  std::uint8_t* entries_ = nullptr;
};

/// Hands them out in order.
class packed_occurrences::reader {
 public:
  explicit reader(const packed_occurrences& from) : from_{&from} {}

  bool done() const { return number_ == from_->size_; }
  /// Unless it is done.
  occurrence next() {
    while (number_ >= from_->directory_[range_ + 1]) ++range_;
    return from_->at(range_, number_++);
  }

 private:
  const packed_occurrences* from_;
  std::uint64_t range_ = 0;
  std::uint32_t number_ = 0;
};

}  // namespace flow
