#include "packed_occurrences.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

namespace flow {
namespace {

// So many are in a range, or up to twice as many.
constexpr std::size_t per_range = 8;
constexpr std::uint64_t in_every_byte = 0x0101'0101'0101'0101;
constexpr std::size_t word = sizeof(std::uint64_t);

static_assert(std::endian::native == std::endian::little, "words are cut to the bytes that they need");

std::uint64_t word_at(const std::uint8_t* place) {
  std::uint64_t found;
  std::memcpy(&found, place, word);
  return found;
}

std::uint64_t low_bytes(std::uint64_t number, unsigned bytes) {
  return bytes == word ? number : number & ((std::uint64_t{1} << 8 * bytes) - 1);
}

std::uint64_t low_bits(std::uint64_t number, unsigned bits) {
  return number & ((std::uint64_t{1} << bits) - 1);
}

unsigned bytes_for(std::uint64_t most) {
  return static_cast<unsigned>(std::bit_width(most) + 7) / 8;
}

std::uint64_t from_to(std::int64_t a, std::int64_t b) {
  return static_cast<std::uint64_t>(b) - static_cast<std::uint64_t>(a);
}

std::int64_t ahead(std::int64_t of, std::uint64_t by) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(of) + by);
}

}  // namespace

inline void packed_occurrences::layout::write(const occurrence& what, std::uint8_t* place) const {
  const auto put = [&](std::uint64_t number, unsigned bytes) {
    std::memcpy(place, &number, word);
    place += bytes;
  };
  put(what.low, word);
  put(low_bits(what.high, rest_bits()), rest_bytes);
  put(from_to(first_offset, what.offset), offset_bytes);
  put(from_to(first_time, what.timestamp), time_bytes);
}

inline occurrence packed_occurrences::layout::read(std::uint64_t range, std::uint8_t tag,
                                                   const std::uint8_t* place) const {
  const auto next = [&](unsigned bytes) {
    const auto found = low_bytes(word_at(place), bytes);
    place += bytes;
    return found;
  };
  occurrence made{.low = next(word)};
  made.high = range << (64 - range_bits) | std::uint64_t{tag} << rest_bits() | next(rest_bytes);
  made.offset = ahead(first_offset, next(offset_bytes));
  made.timestamp = ahead(first_time, next(time_bytes));
  return made;
}

packed_occurrences::packed_occurrences(const packed_occurrences& some, const occurrence_table& others)
    : size_{some.size_ + static_cast<std::uint32_t>(others.size())}, offsets_{some.offsets_}, times_{some.times_} {
  for (const auto& each : others.all()) offsets_.take_in(each.offset), times_.take_in(each.timestamp);
  fill([&](const auto& add) {
    auto all = others.all();
    auto next = all.begin();
    some.walk([&](const occurrence& each) {
      for (; next != all.end() && hash_of(*next) < hash_of(each); ++next) add(*next);
      add(each);
    });
    for (; next != all.end(); ++next) add(*next);
  });
}

packed_occurrences packed_occurrences::since(std::int64_t timestamp) const {
  packed_occurrences made;
  const auto stays = [&](const auto& see) {
    walk([&](const occurrence& each) {
      if (each.timestamp >= timestamp) see(each);
    });
  };
  stays([&](const occurrence& each) {
    ++made.size_, made.offsets_.take_in(each.offset), made.times_.take_in(each.timestamp);
  });
  made.fill(stays);
  return made;
}

// How many there are, and from where to where, is known.
template <typename All>
void packed_occurrences::fill(All all) {
  if (size_ == 0) return;
  layout_.range_bits = static_cast<unsigned>(std::bit_width(std::max<std::size_t>(2, size_ / per_range))) - 1;
  layout_.rest_bytes = bytes_for(low_bits(~std::uint64_t{0}, layout_.rest_bits()));
  layout_.offset_bytes = bytes_for(from_to(offsets_.first, offsets_.last));
  layout_.time_bytes = bytes_for(from_to(times_.first, times_.last));
  layout_.first_offset = offsets_.first, layout_.first_time = times_.first;

  const auto ranges = std::uint64_t{1} << layout_.range_bits;
  const auto directory = (ranges + 1) * sizeof(std::uint32_t);
  // Words are read and written whole, the last ones too.
  bytes_.resize(directory + size_ + size_ * layout_.bytes() + word);
  directory_ = reinterpret_cast<std::uint32_t*>(bytes_.data());
  tags_ = reinterpret_cast<std::uint8_t*>(bytes_.data() + directory);
  entries_ = tags_ + size_;

  // Copies, since a byte that is written might be any member's.
  const auto how = layout_;
  auto* const begins = directory_;
  auto* tag = tags_;
  auto* entry = entries_;
  std::uint64_t range = 0;
  begins[0] = 0;
  const auto begin_until = [&](std::uint64_t last) {
    while (range < last) begins[++range] = static_cast<std::uint32_t>(tag - tags_);
  };
  const auto add = [&](const occurrence& each) {
    begin_until(how.range_of(each.high));
    *tag++ = how.tag_of(each.high);
    how.write(each, entry);
    entry += how.bytes();
  };
  all(add);
  begin_until(ranges);
}

std::uint32_t packed_occurrences::next_alike(std::uint8_t tag, std::uint32_t from, std::uint32_t end) const {
  const auto wanted = in_every_byte * tag;
  for (; from < end; from += word) {
    const auto apart = word_at(tags_ + from) ^ wanted;
    // The highest bit of the first byte that is zero.
    if (const auto zero = (apart - in_every_byte) & ~apart & in_every_byte << 7; zero != 0)
      return from + static_cast<std::uint32_t>(std::countr_zero(zero)) / 8;
  }
  return end;
}

occurrence packed_occurrences::at(std::uint64_t range, std::uint32_t number) const {
  return layout_.read(range, tags_[number], entries_ + number * layout_.bytes());
}

template <typename See>
void packed_occurrences::walk(See see) const {
  if (size_ == 0) return;
  const auto how = layout_;
  const auto* tag = tags_;
  const auto* entry = entries_;
  for (std::uint64_t range = 0; tag < tags_ + size_; ++range)
    for (const auto* const end = tags_ + directory_[range + 1]; tag < end; entry += how.bytes())
      see(how.read(range, *tag++, entry));
}

}  // namespace flow
