#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <ranges>
#include <utility>
#include <vector>

#include "huge_pages.hpp"

#include <flow/seen_ids.hpp>

namespace flow {

/// What an occurrence has in common with all others of its id.
inline auto hash_of(const occurrence& what) {
  return std::pair{what.high, what.low};
}

/// Occurrences in the order of their hashes, with gaps for more: a search ends at the first hash that is higher.
class occurrence_table {
 public:
  void insert(const occurrence& what);
  /// Keeps the room.
  void clear();

  void prefetch(std::uint64_t high) const {
    if (capacity_ > 0) __builtin_prefetch(&table_[place_of(high)]);
  }
  /// True as soon as `is_wanted` is of one that has the id of `what`.
  template <typename Wanted>
  bool any(const occurrence& what, Wanted is_wanted) const {
    if (capacity_ == 0) return false;
    for (auto i = place_of(what.high); i < table_.size() && !is_gap(table_[i]); ++i) {
      if (hash_of(table_[i]) > hash_of(what)) return false;
      if (hash_of(table_[i]) == hash_of(what) && is_wanted(table_[i])) return true;
    }
    return false;
  }
  /// In order.
  auto all() const {
    return table_ | std::views::filter([](const auto& each) { return !is_gap(each); });
  }

  std::size_t size() const { return used_; }
  /// Bytes.
  std::size_t memory() const { return table_.capacity() * sizeof(occurrence); }

 private:
  static constexpr occurrence gap{.offset = std::numeric_limits<std::int64_t>::min()};
  static bool is_gap(const occurrence& what) { return what.offset == gap.offset; }

  // Hashes are spread over the table in their order.
  std::size_t place_of(std::uint64_t high) const {
    return static_cast<std::size_t>(static_cast<wide>(high) * capacity_ >> 64);
  }
  bool put(const occurrence& what);
  void resize(std::size_t capacity);

  __extension__ using wide = unsigned __int128;

  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
  std::vector<occurrence, huge_pages<occurrence>> table_;
};

}  // namespace flow
