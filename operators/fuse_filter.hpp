#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>

namespace flow {

/// A set of numbers that remembers just enough to say of nearly every other one that it is not there, and never says so
/// of one that is. It does not change.
///
/// A binary fuse filter with four places for each number (T. M. Graf, D. Lemire: Binary Fuse Filters: Fast and Smaller
/// Than Xor Filters, 2022): what stands in the four is xored to a few bits of the number's hash. Of many numbers it
/// takes 1.15 times those bits for each, and of what is not there it takes one in two to the power of them for one that
/// is.
class fuse_filter {
 public:
  /// Takes everything for one of its own.
  fuse_filter() = default;
  /// Of these, none of which is there twice. `bits`: 1 to 8. What it remembers lies in `room`, and is not given back.
  fuse_filter(std::span<const std::uint64_t> numbers, unsigned bits, std::pmr::memory_resource& room);
  /// Bytes that one of so many numbers takes.
  static std::size_t memory_for(std::size_t numbers, unsigned bits);

  void prefetch(std::uint64_t number) const {
    for (const auto place : places_of(hash_of(number))) __builtin_prefetch(bits_ + place * bits_each_ / 8);
  }
  bool may_hold(std::uint64_t number) const {
    const auto hash = hash_of(number);
    std::uint64_t found = hash ^ hash >> 32;
    for (const auto place : places_of(hash)) found ^= at(place);
    return (found & mask_) == 0;
  }
  /// Bytes.
  std::size_t memory() const { return bytes_for(first_places_ + (arity - 1) * segment_, bits_each_); }

 private:
  __extension__ using wide = unsigned __int128;
  static constexpr std::size_t arity = 4;

  // As MurmurHash3 ends: every bit counts for every other one.
  std::uint64_t hash_of(std::uint64_t number) const {
    number ^= seed_;
    number = (number ^ number >> 33) * 0xff51'afd7'ed55'8ccd;
    number = (number ^ number >> 33) * 0xc4ce'b9fe'1a85'ec53;
    return number ^ number >> 33;
  }
  // One in each of four segments that follow each other.
  std::array<std::size_t, arity> places_of(std::uint64_t hash) const {
    const auto first = static_cast<std::size_t>(static_cast<wide>(hash) * first_places_ >> 64);
    const auto within = segment_ - 1;
    return {first, (first + segment_) ^ (hash & within), (first + 2 * segment_) ^ (hash >> 16 & within),
            (first + 3 * segment_) ^ (hash >> 32 & within)};
  }
  std::uint64_t at(std::size_t place) const {
    const auto bit = place * bits_each_;
    const auto* const byte = bits_ + bit / 8;
    return static_cast<std::uint64_t>(byte[0] | byte[1] << 8) >> bit % 8;
  }
  // The last two are read whole.
  static std::size_t bytes_for(std::size_t places, std::size_t bits_each) { return (places * bits_each + 7) / 8 + 1; }
  void make_places(std::size_t numbers, double more);
  bool build(std::span<const std::uint64_t> numbers, std::pmr::memory_resource& room);

  std::uint64_t seed_ = 0;
  std::uint64_t mask_ = 0;
  std::size_t bits_each_ = 0;
  std::size_t segment_ = 1;       // a power of two
  std::size_t first_places_ = 1;  // a number's first place is one of so many
  const std::uint8_t* bits_ = nothing_.data();
  static constexpr std::array<std::uint8_t, 2> nothing_{};
};

}  // namespace flow
