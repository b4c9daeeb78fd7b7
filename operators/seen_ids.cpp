#include <flow/seen_ids.hpp>

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <tuple>

namespace flow {
namespace {

// A window has so many slices: each more costs a look per record, each less keeps more that has expired.
constexpr std::int64_t slices_per_window = 8;
// And each slice is told apart so far by where in the source it begins.
constexpr std::int64_t parts_per_slice = 8;
// A search passes so many places of one id at most.
constexpr int most_in_a_row = 8;
constexpr int sixteen = 16;
// Places behind the last one that a hash can ask for, so that nothing wraps around.
constexpr std::size_t overhang = 64;
constexpr auto nothing = std::numeric_limits<std::int64_t>::max();

__extension__ using wide = unsigned __int128;

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

/// A table in the order of the hashes, with gaps: a search ends at the first hash that is higher.
class seen_ids::slice {
 public:
  slice(std::int64_t begin, std::int64_t step)
      : begin_{begin}, part_{std::max<std::int64_t>(1, (step + parts_per_slice - 1) / parts_per_slice)} {
    first_.fill(nothing);
  }

  void prefetch(std::uint64_t high) const;
  /// The id was there before `offset`, within [first, last].
  bool has(const occurrence& what, std::int64_t first, std::int64_t last) const;
  void insert(const occurrence& what);
  /// Nothing more is expected here: gives back what room for more takes.
  void seal();
  /// The lowest offset of the part that `timestamp` lies in, and of those behind it.
  std::int64_t first_since(std::int64_t timestamp) const;

  std::size_t size() const { return used_ + crowded_.size(); }
  std::size_t memory() const;

 private:
  // Offset and time are relative to the slice; an offset of 0 is a gap.
  struct entry {
    std::uint64_t high, low;
    std::uint32_t offset, time;
  };
  using exact = std::tuple<std::uint64_t, std::uint64_t, std::int64_t>;

  std::size_t place_of(std::uint64_t high) const;
  bool put(const entry& what);
  void resize(std::size_t capacity);
  bool fits(const occurrence& what) const;
  occurrence absolute(const entry& what) const;

  std::int64_t begin_;
  std::int64_t part_;  // of the slice: so many milliseconds
  std::array<std::int64_t, parts_per_slice> first_;
  std::int64_t base_ = 0;
  std::size_t capacity_ = 0;
  std::size_t used_ = 0;
  bool sealed_ = false;
  std::vector<entry> table_;
  // What one id fills more places with than a search should pass, and what does not fit: by id and time.
  std::map<exact, std::int64_t> crowded_;
};

struct seen_ids::slices {
  std::map<std::int64_t, slice> by_time;
  std::int64_t newest = std::numeric_limits<std::int64_t>::min();
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
    for (auto each = begin; each != end; ++each) each->second.prefetch(what.high);
    for (auto each = begin; each != end && !known; ++each) known = each->second.has(what, first, last);
  }
  // What is older is never looked at again, by this record's successors neither.
  if (timestamp >= oldest) {
    insert(what);
    new_.push_back(what);
  }
  return known;
}

void seen_ids::insert(const occurrence& what) {
  const auto number = slice_of(what.timestamp, step_);
  auto& [by_time, newest] = *slices_;
  auto at = by_time.find(number);
  if (at == by_time.end()) {
    at = by_time.try_emplace(number, number * step_, step_).first;
    if (number > newest) {
      if (const auto before = by_time.find(newest); before != by_time.end()) before->second.seal();
      newest = number;
    }
  }
  at->second.insert(what);
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
  return sizeof *this + table_.capacity() * sizeof(entry) + crowded_.size() * node;
}

// Hashes are spread over the table in their order.
std::size_t seen_ids::slice::place_of(std::uint64_t high) const {
  return static_cast<std::size_t>(static_cast<wide>(high) * capacity_ >> 64);
}

bool seen_ids::slice::fits(const occurrence& what) const {
  constexpr auto most = std::numeric_limits<std::uint32_t>::max();
  return what.offset > base_ && what.offset - base_ <= most && what.timestamp - begin_ <= most;
}

occurrence seen_ids::slice::absolute(const entry& what) const {
  return {what.high, what.low, base_ + what.offset, begin_ + what.time};
}

void seen_ids::slice::prefetch(std::uint64_t high) const {
  if (capacity_ > 0) __builtin_prefetch(&table_[place_of(high)]);
}

bool seen_ids::slice::has(const occurrence& what, std::int64_t first, std::int64_t last) const {
  if (capacity_ > 0)
    for (auto i = place_of(what.high); i < table_.size() && table_[i].offset != 0; ++i) {
      const auto& there = table_[i];
      if (std::pair{there.high, there.low} > std::pair{what.high, what.low}) break;
      if (there.high != what.high || there.low != what.low) continue;
      const auto found = absolute(there);
      if (found.offset < what.offset && found.timestamp >= first && found.timestamp <= last) return true;
    }
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
  if (capacity_ == 0) {
    // Lanes that are behind insert what lies before.
    base_ = std::max<std::int64_t>(0, what.offset - (std::int64_t{1} << 31)) - 1;
    resize(16);
  }
  int alike = 0;
  if (fits(what)) {
    for (auto i = place_of(what.high); i < table_.size() && table_[i].offset != 0; ++i) {
      const auto& there = table_[i];
      if (std::pair{there.high, there.low} > std::pair{what.high, what.low}) break;
      if (there.high != what.high || there.low != what.low) continue;
      if (absolute(there).offset == what.offset) return;
      ++alike;
    }
  }
  if (!fits(what) || alike >= most_in_a_row) {
    auto& earliest = crowded_.try_emplace({what.high, what.low, what.timestamp}, what.offset).first->second;
    earliest = std::min(earliest, what.offset);
    return;
  }
  if ((used_ + 1) * 20 > capacity_ * 17) resize(capacity_ + capacity_ / 2);
  sealed_ = false;
  const entry made{what.high, what.low, static_cast<std::uint32_t>(what.offset - base_),
                   static_cast<std::uint32_t>(what.timestamp - begin_)};
  while (!put(made)) resize(capacity_ + capacity_ / 8 + 1);
  ++used_;
}

// False: the places behind its own are all taken.
bool seen_ids::slice::put(const entry& what) {
  auto at = place_of(what.high);
  while (at < table_.size() && table_[at].offset != 0 &&
         std::pair{table_[at].high, table_[at].low} <= std::pair{what.high, what.low})
    ++at;
  auto gap = at;
  while (gap < table_.size() && table_[gap].offset != 0) ++gap;
  if (gap == table_.size()) return false;
  std::move_backward(table_.begin() + static_cast<std::ptrdiff_t>(at),
                     table_.begin() + static_cast<std::ptrdiff_t>(gap),
                     table_.begin() + static_cast<std::ptrdiff_t>(gap) + 1);
  table_[at] = what;
  return true;
}

void seen_ids::slice::resize(std::size_t capacity) {
  for (const auto old = std::exchange(table_, {}); true; capacity += capacity / 8 + 1) {
    capacity_ = capacity;
    table_.assign(capacity_ + overhang, entry{});
    if (std::ranges::all_of(old, [&](const entry& each) { return each.offset == 0 || put(each); })) return;
  }
}

void seen_ids::slice::seal() {
  if (sealed_ || capacity_ == 0) return;
  sealed_ = true;
  resize(used_ + used_ / 16 + 1);
}

}  // namespace flow
