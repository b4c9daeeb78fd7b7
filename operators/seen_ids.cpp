#include <flow/seen_ids.hpp>

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <optional>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "occurrence_table.hpp"
#include "packed_occurrences.hpp"
#include "spilled_occurrences.hpp"

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
// What is less than this part of the memory that there is for all is not worth a place on disk.
constexpr std::size_t least_part = 1024;
// So many of about the same size are merged there: each more is one more that may have to be read, each less moves every
// occurrence once more.
constexpr std::size_t runs_alike = 4;
constexpr std::size_t bits_alike = std::bit_width(runs_alike) - 1;
// How far merging goes at once: for each that is new, and in any case. And how far moving to disk, whose memory is needed.
constexpr std::size_t merged_per_new = 8, merged_at_least = 16u << 10;
constexpr std::size_t moved_per_new = 16, moved_at_least = 16u << 10;
// Calls of `make_room` that pass at most before a disk that has failed is asked again.
constexpr unsigned longest_pause = 64;
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

/// What is new of it lies in a table, the rest is packed, and what there was no room for on disk, in several runs.
class seen_ids::slice {
 public:
  slice(std::int64_t begin, std::int64_t step)
      : begin_{begin}, part_{std::max<std::int64_t>(1, (step + parts_per_slice - 1) / parts_per_slice)} {
    first_.fill(nothing);
  }

  /// These two before `has` and `insert`.
  void prefetch_where(const occurrence& what) const {
    packed_.prefetch_directory(what.high), fresh_.prefetch(what.high);
    if (moving_) moving_->what.prefetch_directory(what.high);
    for (const auto& each : runs_) each->prefetch(what);
  }
  void prefetch_what(const occurrence& what) const {
    packed_.prefetch_tags(what.high);
    if (moving_) moving_->what.prefetch_tags(what.high);
  }
  /// The id was there before `offset`, within [first, last].
  bool has(const occurrence& what, std::int64_t first, std::int64_t last) const;
  /// The same, and from now on it is there at this offset too.
  bool insert(const occurrence& what, std::int64_t first, std::int64_t last);
  void insert(std::span<const occurrence> all);
  /// Nothing more is expected here.
  void seal();
  /// What is earlier is never asked for again.
  void forget_before(std::int64_t timestamp);
  /// The lowest offset of the part that `timestamp` lies in, and of those behind it.
  std::int64_t first_since(std::int64_t timestamp) const;

  /// Bytes that moving would make free, at once or in two goes.
  std::size_t movable() const;
  /// Of what is sealed the last goes where most of it is, and is merged with it.
  bool wants_to_move() const { return wants_one_run_ && !merging_ && !runs_.empty() && movable() > 0; }
  /// It is there still until all of it is on disk.
  result<void> begin_to_move(spill& beyond);
  result<void> go_on_moving(std::size_t most);
  /// Of what lies on disk, `most` occurrences.
  result<void> merge(spill& beyond, std::size_t most);

  std::size_t size() const;
  std::size_t memory() const;
  /// Of that, what is being moved.
  std::size_t leaving() const { return is_moving() ? moving_->what.memory() : 0; }

 private:
  using exact = std::tuple<std::uint64_t, std::uint64_t, std::int64_t>;
  using run = spilled_occurrences::merging::run;

  /// True as soon as `is_wanted` is of one that has the id of `what`, the crowded ones aside.
  bool any(const occurrence& what, auto is_wanted) const {
    return packed_.any(what, is_wanted) || fresh_.any(what, is_wanted) ||
           (moving_ && moving_->what.any(what, is_wanted)) ||
           std::ranges::any_of(runs_, [&](const auto& each) { return each->any(what, is_wanted); });
  }
  bool is_crowded(const occurrence& what, std::int64_t first, std::int64_t last) const;
  bool is_moving() const { return moving_ && moving_->to; }
  void pack();
  std::vector<run> next_to_merge();

  std::int64_t begin_;
  std::int64_t part_;  // of the slice: so many milliseconds
  std::array<std::int64_t, parts_per_slice> first_;
  packed_occurrences packed_;
  occurrence_table fresh_;
  bool is_halved_ = false;
  // To disk. Without a writer it has to begin again.
  struct moving {
    packed_occurrences what;
    packed_occurrences::reader next{what};
    std::optional<spilled_occurrences::writer> to{};
  };
  std::unique_ptr<moving> moving_;
  std::vector<run> runs_;
  std::optional<spilled_occurrences::merging> merging_;  // of some of them
  bool wants_one_run_ = false;
  // What one id fills more places with than a search should pass: by id and time.
  std::map<exact, std::int64_t> crowded_;
};

struct seen_ids::slices {
  explicit slices(spill* beyond) : beyond{beyond}, in_memory{beyond} {}

  std::size_t memory() const;
  /// What is on its way to disk needs no more room than it has.
  void count();
  result<void> make_room(std::size_t fresh);

  std::map<std::int64_t, slice> by_time;
  spill* beyond;
  spill::share in_memory;
  std::size_t fresh = 0;           // since room was made last
  unsigned pause = 0, passed = 0;  // calls, after the disk has failed
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

seen_ids::seen_ids(std::chrono::milliseconds window, std::string key, spill* beyond)
    : window_{window},
      step_{std::max<std::int64_t>(1, window.count() / slices_per_window)},
      key_{std::move(key)},
      slices_{std::make_unique<slices>(beyond)} {
  if (key_.size() < XXH3_SECRET_SIZE_MIN) throw std::logic_error{"flow: the key of a dedup is too short"};
}

bool seen_ids::judge(bytes id, std::int64_t offset, std::int64_t timestamp, std::int64_t now) {
  auto what = hashed(id, key_);
  what.offset = offset;
  what.timestamp = timestamp;
  const auto oldest = now == stream_clock::unset ? now : minus(now, window_.count());
  const auto first = std::max(minus(timestamp, window_.count()), oldest);
  const auto last = plus(timestamp, window_.count());

  // What is older is never looked at again, by this record's successors neither.
  const bool is_kept = timestamp >= oldest;
  const auto own = slice_of(timestamp, step_);
  bool known = false;
  if (first <= last) {
    const auto begin = slices_->by_time.lower_bound(slice_of(first, step_));
    const auto end = slices_->by_time.upper_bound(slice_of(last, step_));
    for (auto each = begin; each != end; ++each) each->second.prefetch_where(what);
    for (auto each = begin; each != end; ++each) each->second.prefetch_what(what);
    for (auto each = begin; each != end && !known; ++each)
      if (!is_kept || each->first != own) known = each->second.has(what, first, last);
  }
  if (!is_kept) return known;
  known = slice_at(timestamp).insert(what, first, last) || known;
  new_.push_back(what);
  ++slices_->fresh;
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
    slices_->fresh += alike.size();
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
  if (!by_time.empty()) by_time.begin()->second.forget_before(timestamp);
}

// Once, since what stays is moved for it.
void seen_ids::slice::forget_before(std::int64_t timestamp) {
  if (minus(timestamp, begin_) < part_ * parts_per_slice / 2 || std::exchange(is_halved_, true)) return;
  packed_ = packed_.since(timestamp);
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

void seen_ids::make_room() {
  auto& all = *slices_;
  if (!all.beyond) return;
  const auto fresh = std::exchange(all.fresh, 0);
  if (all.passed < all.pause) {
    ++all.passed;
  } else if (const auto done = all.make_room(fresh); done) {
    if (all.pause > 0) all.beyond->settle();
    all.pause = 0;
  } else {
    all.beyond->complain(done.error());
    all.pause = std::min(2 * all.pause + 1, longest_pause);
    all.passed = 0;
  }
  all.count();
}

void seen_ids::slices::count() {
  auto all = memory();
  for (const auto& [number, each] : by_time) all -= each.leaving();
  in_memory.take(all);
}

result<void> seen_ids::slices::make_room(std::size_t fresh) {
  for (auto& [number, each] : by_time)
    if (each.wants_to_move())
      if (auto begun = each.begin_to_move(*beyond); !begun) return begun;
  for (count(); beyond->is_over(); count()) {
    const auto most = std::ranges::max_element(by_time, {}, [](const auto& each) { return each.second.movable(); });
    if (most == by_time.end() || most->second.movable() <= beyond->memory() / least_part) break;
    if (auto begun = most->second.begin_to_move(*beyond); !begun) return begun;
  }
  for (auto& [number, each] : by_time) {
    if (auto moved = each.go_on_moving(fresh * moved_per_new + moved_at_least); !moved) return moved;
    if (auto merged = each.merge(*beyond, fresh * merged_per_new + merged_at_least); !merged) return merged;
  }
  return {};
}

std::size_t seen_ids::size() const {
  std::size_t all = 0;
  for (const auto& [number, each] : slices_->by_time) all += each.size();
  return all;
}

std::size_t seen_ids::memory() const { return slices_->memory(); }

std::size_t seen_ids::slices::memory() const {
  std::size_t all = 0;
  for (const auto& [number, each] : by_time) all += each.memory();
  return all;
}

std::size_t seen_ids::slice::size() const {
  auto all = packed_.size() + fresh_.size() + crowded_.size() + (moving_ ? moving_->what.size() : 0);
  for (const auto& each : runs_) all += each->size();
  return all;
}

std::size_t seen_ids::slice::memory() const {
  constexpr std::size_t node = sizeof(std::pair<const exact, std::int64_t>) + 32;
  auto all = sizeof *this + packed_.memory() + fresh_.memory() + crowded_.size() * node;
  if (moving_) all += moving_->what.memory();
  if (is_moving()) all += moving_->to->memory();
  if (merging_) all += merging_->memory();
  for (const auto& each : runs_) all += each->memory();
  return all;
}

bool seen_ids::slice::has(const occurrence& what, std::int64_t first, std::int64_t last) const {
  const auto is_before = [&](const occurrence& found) {
    return found.offset < what.offset && found.timestamp >= first && found.timestamp <= last;
  };
  return any(what, is_before) || is_crowded(what, first, last);
}

bool seen_ids::slice::is_crowded(const occurrence& what, std::int64_t first, std::int64_t last) const {
  if (crowded_.empty()) return false;
  for (auto at = crowded_.lower_bound({what.high, what.low, first}); at != crowded_.end(); ++at) {
    const auto& [high, low, timestamp] = at->first;
    if (high != what.high || low != what.low || timestamp > last) return false;
    if (at->second < what.offset) return true;
  }
  return false;
}

bool seen_ids::slice::insert(const occurrence& what, std::int64_t first, std::int64_t last) {
  int alike = 0;
  bool known = false;
  const bool is_there = any(what, [&](const occurrence& found) {
    ++alike;
    known = known || (found.offset < what.offset && found.timestamp >= first && found.timestamp <= last);
    return found.offset == what.offset;
  });
  // Who is there already has not looked at all of them.
  if (is_there) return known || has(what, first, last);
  known = known || is_crowded(what, first, last);
  auto& earliest_of_part = first_[static_cast<std::size_t>((what.timestamp - begin_) / part_)];
  earliest_of_part = std::min(earliest_of_part, what.offset);
  if (alike >= most_in_a_row) {
    auto& earliest = crowded_.try_emplace({what.high, what.low, what.timestamp}, what.offset).first->second;
    earliest = std::min(earliest, what.offset);
    return known;
  }
  fresh_.insert(what);
  if (fresh_.size() >= std::max(worth_packing, packed_.size() / packed_per_new)) pack();
  return known;
}

// What one search waits for is on its way while those before it go on.
void seen_ids::slice::insert(std::span<const occurrence> all) {
  constexpr std::size_t near = 8, far = 16;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i + far < all.size()) prefetch_where(all[i + far]);
    if (i + near < all.size()) prefetch_what(all[i + near]);
    insert(all[i], nothing, nothing);
  }
}

void seen_ids::slice::seal() {
  if (fresh_.size() > 0 && size() >= worth_packing) pack();
  if (fresh_.size() == 0) fresh_ = {};
  wants_one_run_ = true;
}

void seen_ids::slice::pack() {
  if (packed_.size() + fresh_.size() > packed_occurrences::most) return;
  packed_ = {packed_, fresh_};
  fresh_.clear();
}

std::size_t seen_ids::slice::movable() const {
  if (moving_) return is_moving() ? 0 : moving_->what.memory();
  return fresh_.size() + packed_.size() > 0 ? packed_.memory() + fresh_.memory() : 0;
}

// A table is packed first, unless it is small beside what is: it costs the room that is wanted.
result<void> seen_ids::slice::begin_to_move(spill& beyond) {
  if (!moving_) {
    if (fresh_.memory() > packed_.memory() || wants_to_move()) pack();
    moving_ = std::make_unique<moving>(std::exchange(packed_, {}));
    if (fresh_.size() == 0) fresh_ = {};
  }
  return spilled_occurrences::writer::begin(beyond, moving_->what.size()).map([&](spilled_occurrences::writer to) {
    moving_->next = packed_occurrences::reader{moving_->what};
    moving_->to = std::move(to);
  });
}

result<void> seen_ids::slice::go_on_moving(std::size_t most) {
  if (!is_moving()) return {};
  result<void> written;
  for (; written && most > 0 && !moving_->next.done(); --most) written = moving_->to->add(moving_->next.next());
  if (written && !moving_->next.done()) return {};
  auto made = written.and_then([&] { return moving_->to->finish(); });
  moving_->to.reset();
  if (!made) return tl::unexpected{made.error()};
  moving_.reset();
  runs_.push_back(std::make_shared<const spilled_occurrences>(*std::move(made)));
  if (runs_.size() == 1) wants_one_run_ = false;
  return {};
}

result<void> seen_ids::slice::merge(spill& beyond, std::size_t most) {
  if (!merging_) {
    auto next = next_to_merge();
    if (next.empty()) return {};
    auto begun = spilled_occurrences::merging::begin(beyond, std::move(next));
    if (!begun) return tl::unexpected{begun.error()};
    merging_ = *std::move(begun);
  }
  auto made = merging_->go_on(most);
  if (made && !*made) return {};
  if (made) {
    std::erase_if(runs_, [&](const auto& each) { return std::ranges::count(merging_->from(), each) > 0; });
    runs_.push_back(*made);
  }
  merging_.reset();
  return made.map([](const run&) {});
}

std::vector<seen_ids::slice::run> seen_ids::slice::next_to_merge() {
  if (!moving_ && runs_.size() > 1 && std::exchange(wants_one_run_, false)) return runs_;
  std::map<std::size_t, std::vector<run>> by_size;
  for (const auto& each : runs_) by_size[std::bit_width(each->size()) / bits_alike].push_back(each);
  for (auto& [size, all] : by_size)
    if (all.size() >= runs_alike) return std::move(all);
  return {};
}

}  // namespace flow
