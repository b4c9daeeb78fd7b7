#include "spilled_occurrences.hpp"

#include <bit>
#include <ranges>

namespace flow {
namespace {

// What a filter has of each id: one look in sixteen is for nothing, or in 256 where the memory allows it.
constexpr unsigned few_bits = 4, many_bits = 8;
// What the filters may take of the memory then, and how small a run is beside all of them of which it does not matter.
constexpr std::size_t part_of_memory = 4, size_that_counts = 64;
// What is written and read at once when it goes through all of them.
constexpr std::size_t per_write = 8192;
constexpr std::size_t per_page = 2048;

static_assert(std::is_trivially_copyable_v<occurrence> && sizeof(occurrence) == 32);

}  // namespace

spilled_occurrences::place spilled_occurrences::place_of(std::uint64_t high) const {
  const auto bucket = bucket_of(high);
  const auto& in = part_of(bucket);
  const auto number = [&](std::size_t which) { return in.begin + (std::uint64_t{in.begins[which]} << in.coarse); };
  const auto within = bucket % buckets_per_part;
  const auto more = (std::uint64_t{1} << in.coarse) - 1;
  const auto first = number(within);
  const auto end = std::min<std::uint64_t>(number(within + 1) + more, size_);
  // Within a bucket too.
  const auto rest = high * (parts_.size() * buckets_per_part);
  const auto likely = first + static_cast<std::uint64_t>(static_cast<wide>(rest) * (end - first) >> 64);
  return {first, std::max(first + per_read / 2, likely) - per_read / 2, end};
}

std::span<const occurrence> spilled_occurrences::next_of(place& at, const occurrence& what,
                                                         std::span<occurrence> room) const {
  const auto from_next = [&] {
    auto found = read(at.next, at.end, room);
    if (!found) throw unanswered{to_string(found.error())};
    return *found;
  };
  auto found = from_next();
  if (!found.empty() && at.first < at.next && hash_of(found.front()) >= hash_of(what)) {
    at.next = at.first;
    found = from_next();
  }
  at.first = at.next += found.size();
  return found;
}

result<std::span<const occurrence>> spilled_occurrences::read(std::uint64_t from, std::uint64_t until,
                                                              std::span<occurrence> into) const {
  into = into.first(std::min<std::uint64_t>(into.size(), until - from));
  return on_.read(from * sizeof(occurrence), std::as_writable_bytes(into)).map([&] {
    return std::span<const occurrence>{into};
  });
}

result<spilled_occurrences::writer> spilled_occurrences::writer::begin(spill& beyond, std::size_t size) {
  return beyond.claim(size * sizeof(occurrence)).map([&](spill::place on) {
    writer made;
    made.made_.on_ = std::move(on);
    const auto parts = std::max<std::size_t>(1, (size + per_part - 1) / per_part);
    // They are not all of one size.
    const auto ids = beyond.on_disk() / sizeof(occurrence);
    const bool is_cheap = ids * 5 / 4 < beyond.memory() / part_of_memory || size * size_that_counts < ids;
    made.bits_ = is_cheap ? many_bits : few_bits;
    const auto room = fuse_filter::memory_for(size / parts, made.bits_) * 129 / 128 + begins_size + 64;
    made.made_.parts_.resize(parts);
    made.made_.room_ = std::make_unique<std::pmr::monotonic_buffer_resource>(parts * room, &huge_page_memory());
    return made;
  });
}

result<void> spilled_occurrences::writer::add(const occurrence& what) {
  const auto bucket = made_.bucket_of(what.high);
  while (part_ < bucket / buckets_per_part) end_part();
  while (begins_.size() <= bucket % buckets_per_part)
    begins_.push_back(static_cast<std::uint32_t>(made_.size_ - made_.parts_[part_].begin));
  if (ids_.empty() || hash_of(last_) != hash_of(what)) ids_.push_back(what.low);
  last_ = what;
  ++made_.size_;
  waiting_.push_back(what);
  return waiting_.size() < per_write ? result<void>{} : write();
}

void spilled_occurrences::writer::end_part() {
  auto& ended = made_.parts_[part_];
  const auto count = made_.size_ - ended.begin;
  begins_.resize(buckets_per_part + 1, static_cast<std::uint32_t>(count));
  ended.coarse = static_cast<unsigned>(std::max(16, static_cast<int>(std::bit_width(count))) - 16);
  auto* const begins = static_cast<std::uint16_t*>(made_.room_->allocate(begins_size, alignof(std::uint16_t)));
  std::ranges::transform(begins_, begins,
                         [&](std::uint32_t each) { return static_cast<std::uint16_t>(each >> ended.coarse); });
  ended.begins = begins;
  ended.filter = fuse_filter{ids_, bits_, *made_.room_};
  made_.memory_ += sizeof ended + begins_size + ended.filter.memory();
  ids_.clear(), begins_.clear();
  if (++part_ < made_.parts_.size()) made_.parts_[part_].begin = made_.size_;
}

result<void> spilled_occurrences::writer::write() {
  const auto done = made_.on_.write(written_ * sizeof(occurrence), std::as_bytes(std::span{waiting_}));
  written_ += waiting_.size();
  waiting_.clear();
  return done;
}

result<spilled_occurrences> spilled_occurrences::writer::finish() {
  while (part_ < made_.parts_.size()) end_part();
  return write().map([&] { return std::move(made_); });
}

result<void> spilled_occurrences::reader::next() {
  if (++at_ < found_.size()) return {};
  at_ = 0;
  room_.resize(per_page);
  return from_->read(read_, from_->size(), room_).map([&](auto found) {
    found_ = found;
    read_ += found.size();
  });
}

result<spilled_occurrences::merging> spilled_occurrences::merging::begin(spill& beyond, std::vector<run> all) {
  std::size_t size = 0;
  for (const auto& each : all) size += each->size();
  return writer::begin(beyond, size).and_then([&](writer to) -> result<merging> {
    merging made;
    made.to_ = std::move(to);
    made.from_ = std::move(all);
    for (const auto& each : made.from_)
      if (auto ready = made.readers_.emplace_back(*each).next(); !ready) return tl::unexpected{ready.error()};
    return made;
  });
}

result<spilled_occurrences::merging::run> spilled_occurrences::merging::go_on(std::size_t most) {
  for (; most > 0; --most) {
    reader* lowest = nullptr;
    for (auto& each : readers_)
      if (each.front() && (!lowest || hash_of(*each.front()) < hash_of(*lowest->front()))) lowest = &each;
    if (!lowest)
      return to_.finish().map([](auto made) { return std::make_shared<const spilled_occurrences>(std::move(made)); });
    if (auto added = to_.add(*lowest->front()); !added) return tl::unexpected{added.error()};
    if (auto moved = lowest->next(); !moved) return tl::unexpected{moved.error()};
  }
  return nullptr;
}

}  // namespace flow
