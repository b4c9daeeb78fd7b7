#include <flow/seen_ids.hpp>

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <tuple>

#include "occurrence_table.hpp"
#include "packed_occurrences.hpp"

namespace flow {
namespace {

// A window has so many slices: each more costs a look per record, each less keeps more that has expired.
constexpr std::int64_t slices_per_window = 8;
// And each slice is told apart so far by where in the source it begins.
constexpr std::int64_t parts_per_slice = 8;
// A search passes so many places of one id at most.
constexpr int most_in_a_row = 8;
constexpr int sixteen = 16;
// What is new is packed once it is so many, and half of what is packed already.
constexpr std::size_t worth_packing = 4096;
constexpr std::size_t packed_per_new = 2;
constexpr auto nothing = std::numeric_limits<std::int64_t>::max();

std::int64_t quotient(std::int64_t number, std::int64_t by) {
  return number / by - (number % by < 0 ? 1 : 0);
}

std::int64_t minus(std::int64_t a, std::int64_t b) {
  std::int64_t difference;
  return __builtin_sub_overflow(a, b, &difference) ? std::numeric_limits<std::int64_t>::min() : difference;
}

std::int64_t plus(std::int64_t a, std::int64_t b) {
  std::int64_t sum;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<std::int64_t>::max() : sum;
}

std::int64_t slice_of(std::int64_t timestamp, std::int64_t step) {
  return quotient(timestamp, step);
}

}  // namespace

/// What is new of it lies in a table, the rest is packed.
class seen_ids::slice {
 public:
  slice(std::int64_t begin, std::int64_t step)
      : begin_{begin}, part_{std::max<std::int64_t>(1, (step + parts_per_slice - 1) / parts_per_slice)} {
    first_.fill(nothing);
  }

  /// These two before `has`.
  void prefetch_where(std::uint64_t high) const { packed_.prefetch_directory(high), fresh_.prefetch(high); }
  void prefetch_what(std::uint64_t high) const { packed_.prefetch_tags(high); }
  /// The id was there before `offset`, within [first, last].
  bool has(const occurrence& what, std::int64_t first, std::int64_t last) const;
  void insert(const occurrence& what);
  void insert(std::span<const occurrence> all);
  /// Nothing more is expected here.
  void seal();
  /// The lowest offset of the part that `timestamp` lies in, and of those behind it.
  std::int64_t first_since(std::int64_t timestamp) const;

  std::size_t size() const { return packed_.size() + fresh_.size() + crowded_.size(); }
  std::size_t memory() const;

 private:
  using exact = std::tuple<std::uint64_t, std::uint64_t, std::int64_t>;

  void pack();

  std::int64_t begin_;
  std::int64_t part_;  // of the slice: so many milliseconds
  std::array<std::int64_t, parts_per_slice> first_;
  packed_occurrences packed_;
  occurrence_table fresh_;
  // What one id fills more places with than a search should pass: by id and time.
  std::map<exact, std::int64_t> crowded_;
};

struct seen_ids::slices {
  std::map<std::int64_t, slice> by_time;
};

seen_ids::~seen_ids() = default;
seen_ids::seen_ids(seen_ids&&) noexcept = default;
seen_ids& seen_ids::operator=(seen_ids&&) noexcept = default;

void stream_clock::see(std::int64_t timestamp, std::chrono::milliseconds skew) {
  if (timestamp < 0) return;
  if (time == unset) {
    const bool agree =
        candidate != unset && timestamp <= plus(candidate, skew.count()) && candidate <= plus(timestamp, skew.count());
    if (agree) time = std::max(timestamp, candidate);
    candidate = timestamp;
    return;
  }
  if (timestamp <= plus(time, skew.count())) {
    ahead = 0;
    time = std::max(time, timestamp);
    return;
  }
  candidate = ahead == 0 ? timestamp : std::min(candidate, timestamp);
  if (++ahead < sixteen) return;
  ahead = 0;
  time = candidate;
}

occurrence hashed(bytes id, const std::string& key) {
  const auto hash = XXH3_128bits_withSecret(id.data(), id.size(), key.data(), key.size());
  return {.high = hash.high64, .low = hash.low64};
}

seen_ids::seen_ids(std::chrono::milliseconds window, std::string key)
    : window_{window},
      step_{std::max<std::int64_t>(1, window.count() / slices_per_window)},
      key_{std::move(key)},
      slices_{std::make_unique<slices>()} {
  if (key_.size() < XXH3_SECRET_SIZE_MIN) throw std::logic_error{"flow: the key of a dedup is too short"};
}

bool seen_ids::judge(bytes id, std::int64_t offset, std::int64_t timestamp, std::int64_t now) {
  auto what = hashed(id, key_);
  what.offset = offset;
  what.timestamp = timestamp;
  const auto oldest = now == stream_clock::unset ? now : minus(now, window_.count());
  const auto first = std::max(minus(timestamp, window_.count()), oldest);
  const auto last = plus(timestamp, window_.count());

  bool known = false;
  if (first <= last) {
    const auto begin = slices_->by_time.lower_bound(slice_of(first, step_));
    const auto end = slices_->by_time.upper_bound(slice_of(last, step_));
    for (auto each = begin; each != end; ++each) each->second.prefetch_where(what.high);
    for (auto each = begin; each != end; ++each) each->second.prefetch_what(what.high);
    for (auto each = begin; each != end && !known; ++each) known = each->second.has(what, first, last);
  }
  // What is older is never looked at again, by this record's successors neither.
  if (timestamp >= oldest) {
    slice_at(timestamp).insert(what);
    new_.push_back(what);
  }
  return known;
}

void seen_ids::insert(std::span<const occurrence> all) {
  while (!all.empty()) {
    const auto first = all.front().timestamp;
    const auto end = std::ranges::find_if(
        all, [&](std::int64_t timestamp) { return slice_of(timestamp, step_) != slice_of(first, step_); },
        &occurrence::timestamp);
    const auto alike = all.first(static_cast<std::size_t>(end - all.begin()));
    slice_at(first).insert(alike);
    all = all.subspan(alike.size());
  }
}

seen_ids::slice& seen_ids::slice_at(std::int64_t timestamp) {
  const auto number = slice_of(timestamp, step_);
  const auto [at, is_new] = slices_->by_time.try_emplace(number, number * step_, step_);
  if (is_new && at != slices_->by_time.begin()) std::prev(at)->second.seal();
  return at->second;
}

void seen_ids::forget_before(std::int64_t timestamp) {
  auto& by_time = slices_->by_time;
  by_time.erase(by_time.begin(), by_time.lower_bound(slice_of(timestamp, step_)));
}

std::int64_t seen_ids::first_since(std::int64_t timestamp) const {
  auto first = nothing;
  const auto& by_time = slices_->by_time;
  for (auto each = by_time.lower_bound(slice_of(timestamp, step_)); each != by_time.end(); ++each)
    first = std::min(first, each->second.first_since(timestamp));
  return first;
}

std::int64_t seen_ids::slice::first_since(std::int64_t timestamp) const {
  const auto skipped = timestamp <= begin_ ? 0 : (timestamp - begin_) / part_;
  return *std::min_element(first_.begin() + skipped, first_.end());
}

std::size_t seen_ids::size() const {
  std::size_t all = 0;
  for (const auto& [number, each] : slices_->by_time) all += each.size();
  return all;
}

std::size_t seen_ids::memory() const {
  std::size_t all = 0;
  for (const auto& [number, each] : slices_->by_time) all += each.memory();
  return all;
}

std::size_t seen_ids::slice::memory() const {
  constexpr std::size_t node = sizeof(std::pair<const exact, std::int64_t>) + 32;
  return sizeof *this + packed_.memory() + fresh_.memory() + crowded_.size() * node;
}

bool seen_ids::slice::has(const occurrence& what, std::int64_t first, std::int64_t last) const {
  const auto is_before = [&](const occurrence& found) {
    return found.offset < what.offset && found.timestamp >= first && found.timestamp <= last;
  };
  if (packed_.any(what, is_before) || fresh_.any(what, is_before)) return true;
  if (crowded_.empty()) return false;
  for (auto at = crowded_.lower_bound({what.high, what.low, first}); at != crowded_.end(); ++at) {
    const auto& [high, low, timestamp] = at->first;
    if (high != what.high || low != what.low || timestamp > last) return false;
    if (at->second < what.offset) return true;
  }
  return false;
}

void seen_ids::slice::insert(const occurrence& what) {
  auto& first = first_[static_cast<std::size_t>((what.timestamp - begin_) / part_)];
  first = std::min(first, what.offset);
  int alike = 0;
  const auto is_the_same = [&](const occurrence& found) { return ++alike, found.offset == what.offset; };
  if (packed_.any(what, is_the_same) || fresh_.any(what, is_the_same)) return;
  if (alike >= most_in_a_row) {
    auto& earliest = crowded_.try_emplace({what.high, what.low, what.timestamp}, what.offset).first->second;
    earliest = std::min(earliest, what.offset);
    return;
  }
  fresh_.insert(what);
  if (fresh_.size() >= std::max(worth_packing, packed_.size() / packed_per_new)) pack();
}

// What one search waits for is on its way while those before it go on.
void seen_ids::slice::insert(std::span<const occurrence> all) {
  constexpr std::size_t near = 8, far = 16;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i + far < all.size()) prefetch_where(all[i + far].high);
    if (i + near < all.size()) prefetch_what(all[i + near].high);
    insert(all[i]);
  }
}

void seen_ids::slice::seal() {
  if (fresh_.size() > 0 && size() >= worth_packing) pack();
  if (fresh_.size() == 0) fresh_ = {};
}

void seen_ids::slice::pack() {
  if (packed_.size() + fresh_.size() > packed_occurrences::most) return;
  packed_ = {packed_, fresh_};
  fresh_.clear();
}

}  // namespace flow
