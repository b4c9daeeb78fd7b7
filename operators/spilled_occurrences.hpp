#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <span>
#include <utility>
#include <vector>

#include "fuse_filter.hpp"
#include "occurrence_table.hpp"

#include <flow/seen_ids.hpp>
#include <flow/spill.hpp>

namespace flow {

/// Occurrences on disk in the order of their hashes. In memory is what nearly always tells that an id is not there, and
/// otherwise where to look: five to ten bits for each. They do not change.
///
/// Hashes are spread evenly, so the first bits of one say in which of many buckets it lies. So many buckets are a part,
/// which has a filter of its own and knows where each begins: parts are written one after the other, in little memory.
class spilled_occurrences {
 public:
  class writer;
  class reader;
  class merging;

  /// Before `any`, so that what many searches wait for comes together.
  void prefetch(const occurrence& what) const { part_of(bucket_of(what.high)).filter.prefetch(what.low); }
  /// True as soon as `is_wanted` is of one that has the id of `what`.
  /// @throws unanswered
  template <typename Wanted>
  bool any(const occurrence& what, Wanted is_wanted) const {
    if (!part_of(bucket_of(what.high)).filter.may_hold(what.low)) return false;
    std::array<occurrence, per_read> room;
    for (auto at = place_of(what.high); at.next < at.end;) {
      const auto found = next_of(at, what, room);
      auto each = std::ranges::lower_bound(found, hash_of(what), {}, hash_of);
      for (; each != found.end() && hash_of(*each) == hash_of(what); ++each)
        if (is_wanted(*each)) return true;
      if (each != found.end()) return false;
    }
    return false;
  }

  std::size_t size() const { return size_; }
  /// Bytes.
  std::size_t memory() const { return memory_; }

 private:
  static constexpr std::size_t buckets_per_part = 1024;
  static constexpr std::size_t begins_size = (buckets_per_part + 1) * sizeof(std::uint16_t);
  static constexpr std::size_t per_part = 96 << 10;
  static constexpr std::size_t per_read = 20;

  struct part {
    fuse_filter filter;
    std::uint64_t begin = 0;                // number of its first occurrence
    unsigned coarse = 0;                    // buckets begin at multiples of two to the power of this, or a little later
    const std::uint16_t* begins = nullptr;  // of one bucket more than there are
  };
  __extension__ using wide = unsigned __int128;

  std::size_t bucket_of(std::uint64_t high) const {
    return static_cast<std::size_t>(static_cast<wide>(high) * (parts_.size() * buckets_per_part) >> 64);
  }
  const part& part_of(std::size_t bucket) const { return parts_[bucket / buckets_per_part]; }
  /// Numbers of occurrences: what is looked for stands in [first, end), and most likely not before `next`.
  struct place {
    std::uint64_t first, next, end;
  };
  place place_of(std::uint64_t high) const;
  /// Some that follow each other, none of what is looked for before them; `at` is behind them then.
  std::span<const occurrence> next_of(place& at, const occurrence& what, std::span<occurrence> room) const;
  /// As many as there is room for.
  result<std::span<const occurrence>> read(std::uint64_t from, std::uint64_t until, std::span<occurrence> into) const;

  spill::place on_;
  std::unique_ptr<std::pmr::memory_resource> room_;
  std::vector<part> parts_;
  std::size_t size_ = 0;
  std::size_t memory_ = 0;
};

/// Makes them of what comes in order. What is not finished leaves nothing behind.
class spilled_occurrences::writer {
 public:
  /// Of so many.
  static result<writer> begin(spill& beyond, std::size_t size);

  result<void> add(const occurrence& what);
  result<spilled_occurrences> finish();
  /// Bytes that what is made takes so far.
  std::size_t memory() const { return made_.memory_; }

 private:
  void end_part();
  result<void> write();

  spilled_occurrences made_;
  unsigned bits_ = 0;  // of each id's, in the filters
  std::size_t part_ = 0;
  std::uint64_t written_ = 0;
  std::vector<occurrence> waiting_;
  std::vector<std::uint64_t> ids_;     // of the part, each once
  std::vector<std::uint32_t> begins_;  // of its buckets
  occurrence last_;
};

/// Hands them out in order.
class spilled_occurrences::reader {
 public:
  explicit reader(const spilled_occurrences& from) : from_{&from} {}

  /// To the first, and then on. Where that has failed it is not called again.
  result<void> next();
  /// Valid until `next`; nullptr behind the last.
  const occurrence* front() const { return at_ < found_.size() ? &found_[at_] : nullptr; }

 private:
  const spilled_occurrences* from_;
  std::vector<occurrence> room_;
  std::span<const occurrence> found_;
  std::size_t at_ = 0;
  std::uint64_t read_ = 0;
};

/// Makes one of several, little by little.
class spilled_occurrences::merging {
 public:
  using run = std::shared_ptr<const spilled_occurrences>;

  static result<merging> begin(spill& beyond, std::vector<run> all);

  /// By `most` occurrences; nullptr until it is done. Where that has failed it is not called again.
  result<run> go_on(std::size_t most);
  const std::vector<run>& from() const { return from_; }
  std::size_t memory() const { return to_.memory(); }

 private:
  std::vector<run> from_;
  std::vector<reader> readers_;
  writer to_;
};

}  // namespace flow
