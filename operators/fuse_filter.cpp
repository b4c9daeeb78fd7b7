#include "fuse_filter.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

namespace flow {
namespace {

// One in a few hundred goes wrong with a given seed; where so many do it is not for want of luck.
constexpr int most_attempts = 64;

// How long a segment is, and how many places there are for each number: what the paper's authors found by trying.
std::size_t segment_for(std::size_t numbers) {
  const auto exponent = std::log(static_cast<double>(numbers)) / std::log(2.91) - 0.5;
  return std::size_t{1} << std::clamp(static_cast<int>(std::floor(exponent)), 0, 16);
}

double places_for_each(std::size_t numbers) {
  return std::max(1.075, 0.77 + 0.305 * std::log(600'000.0) / std::log(static_cast<double>(numbers)));
}

}  // namespace

fuse_filter::fuse_filter(std::span<const std::uint64_t> numbers, unsigned bits, std::pmr::memory_resource& room)
    : mask_{(std::uint64_t{1} << bits) - 1}, bits_each_{bits} {
  for (int attempt = 0; attempt < most_attempts; ++attempt) {
    seed_ = static_cast<std::uint64_t>(attempt) * 0x9e37'79b9'7f4a'7c15;
    make_places(numbers.size(), attempt / 32.0);
    if (build(numbers, room)) return;
  }
  *this = {};
}

std::size_t fuse_filter::memory_for(std::size_t numbers, unsigned bits) {
  fuse_filter of;
  of.bits_each_ = bits;
  of.make_places(numbers, 0);
  return of.memory();
}

void fuse_filter::make_places(std::size_t numbers, double more) {
  numbers = std::max<std::size_t>(numbers, 2);
  segment_ = segment_for(numbers);
  const auto places = static_cast<double>(numbers) * places_for_each(numbers) * (1 + more);
  const auto segments = static_cast<std::size_t>(std::ceil(places / static_cast<double>(segment_)));
  first_places_ = (std::max(segments, arity) - (arity - 1)) * segment_;
}

// What is alone at one of its places is given its bits there last, when all its other places have theirs; without it
// others are alone. That way all of them have to go.
bool fuse_filter::build(std::span<const std::uint64_t> numbers, std::pmr::memory_resource& room) {
  const auto all = first_places_ + (arity - 1) * segment_;
  struct place {
    std::uint64_t hashes = 0;  // of those that have it, xored
    std::uint32_t used = 0;
  };
  std::vector<place> places(all);
  const auto add = [&](std::uint64_t hash) {
    for (const auto each : places_of(hash)) places[each].hashes ^= hash, ++places[each].used;
  };
  for (const auto each : numbers) add(hash_of(each));

  std::vector<std::uint32_t> lonely;
  for (std::uint32_t i = 0; i < all; ++i)
    if (places[i].used == 1) lonely.push_back(i);
  std::vector<std::pair<std::uint64_t, std::uint32_t>> gone;
  gone.reserve(numbers.size());
  while (!lonely.empty()) {
    const auto where = lonely.back();
    lonely.pop_back();
    if (places[where].used != 1) continue;
    const auto hash = places[where].hashes;
    gone.emplace_back(hash, where);
    for (const auto each : places_of(hash)) {
      places[each].hashes ^= hash;
      if (--places[each].used == 1) lonely.push_back(static_cast<std::uint32_t>(each));
    }
  }
  if (gone.size() != numbers.size()) return false;

  auto* const made = static_cast<std::uint8_t*>(room.allocate(memory(), 1));
  std::memset(made, 0, memory());
  bits_ = made;
  for (auto each = gone.rbegin(); each != gone.rend(); ++each) {
    const auto [hash, where] = *each;
    std::uint64_t rest = hash ^ hash >> 32;
    for (const auto other : places_of(hash)) rest ^= at(other);
    const auto bit = where * bits_each_;
    rest = (rest & mask_) << bit % 8;
    made[bit / 8] |= static_cast<std::uint8_t>(rest);
    made[bit / 8 + 1] |= static_cast<std::uint8_t>(rest >> 8);
  }
  return true;
}

}  // namespace flow
