#include "occurrence_table.hpp"

#include <algorithm>
#include <utility>

namespace flow {
namespace {

constexpr std::size_t first_capacity = 8;
// Places behind the last one that a hash can ask for, so that nothing wraps around.
constexpr std::size_t overhang = 16;

}  // namespace

void occurrence_table::insert(const occurrence& what) {
  if ((used_ + 1) * 20 > capacity_ * 17) resize(std::max(first_capacity, capacity_ + capacity_ / 2));
  while (!put(what)) resize(capacity_ + capacity_ / 8 + 1);
  ++used_;
}

void occurrence_table::clear() {
  std::ranges::fill(table_, gap);
  used_ = 0;
}

// False: the places behind its own are all taken.
bool occurrence_table::put(const occurrence& what) {
  auto at = table_.begin() + static_cast<std::ptrdiff_t>(place_of(what.high));
  while (at != table_.end() && !is_gap(*at) && hash_of(*at) <= hash_of(what)) ++at;
  const auto free = std::find_if(at, table_.end(), is_gap);
  if (free == table_.end()) return false;
  std::move_backward(at, free, free + 1);
  *at = what;
  return true;
}

void occurrence_table::resize(std::size_t capacity) {
  for (const auto old = std::exchange(table_, {}); true; capacity += capacity / 8 + 1) {
    capacity_ = capacity;
    table_.assign(capacity_ + overhang, gap);
    if (std::ranges::all_of(old, [&](const auto& each) { return is_gap(each) || put(each); })) return;
  }
}

}  // namespace flow
