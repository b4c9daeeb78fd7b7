#include "memories.hpp"

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <utility>

#include "digest.hpp"

namespace flow::engine {
namespace {

using namespace std::chrono_literals;

// What a crash loses of it is read again; so often is soon enough, unless much has come together.
constexpr auto save_every = 5s;
constexpr std::size_t save_at = 64u << 10;
// Nobody notices how long that takes, after so few.
constexpr std::size_t make_room_at = 4u << 10;
constexpr std::size_t most_in_a_shared_page = 16u << 10;
// Who has what it needs, and will soon go on.
constexpr auto expected_for = 60s;

constexpr auto beginning_of_time = std::numeric_limits<std::int64_t>::min();
constexpr auto end_of_time = std::numeric_limits<std::int64_t>::max();

// The oldest that may be asked about at this clock.
std::int64_t oldest_at(const stream_clock& clock, const dedup_spec& spec) {
  return clock.now() == stream_clock::unset ? beginning_of_time : clock.now() - spec.reach.count();
}

}  // namespace

void offset_ranges::add(std::int64_t from, std::int64_t until) {
  if (from >= until) return;
  auto at = ranges_.upper_bound(from);
  if (at != ranges_.begin() && std::prev(at)->second >= from) --at, from = at->first;
  while (at != ranges_.end() && at->first <= until) until = std::max(until, at->second), at = ranges_.erase(at);
  ranges_[from] = until;
}

std::int64_t offset_ranges::first_missing(std::int64_t from, std::int64_t until) const {
  const auto behind = ranges_.upper_bound(from);
  if (behind != ranges_.begin()) from = std::max(from, std::prev(behind)->second);
  return std::min(from, until);
}

std::int64_t offset_ranges::first_there(std::int64_t from, std::int64_t until) const {
  if (first_missing(from, until) > from) return from;
  const auto behind = ranges_.upper_bound(from);
  return behind == ranges_.end() ? until : std::min(behind->first, until);
}

offset_ranges offset_ranges::common_with(const offset_ranges& other) const {
  offset_ranges common;
  for (const auto& [from, until] : ranges_)
    for (const auto& [first, last] : other.ranges_) common.add(std::max(from, first), std::min(until, last));
  return common;
}

memories::memories(const loop& on, const plan& topology, port::state& state, spill& beyond, shared_pages& others,
                   log_sink log)
    : loop_{on},
      specs_{topology.dedups()},
      state_{state},
      beyond_{beyond},
      others_{others},
      log_{std::move(log)} {
  for (const auto& each : specs_) {
    const std::array way{bytes{each.way}};
    ways_.push_back(digest_of(way));
  }
}

memories::of_source& memories::at(const source& from) {
  const auto [known, fresh] = sources_.try_emplace(from.id);
  if (fresh) {
    known->second.where = from.where;
    known->second.lane = from.task;
    for (std::size_t i = 0; i < specs_.size(); ++i)
      known->second.concerned.push_back(std::any_of(from.entries.begin(), from.entries.end(),
                                                    [&](const auto& entry) { return concern(i, entry.source); }));
    recall(known->second);
  }
  return known->second;
}

void memories::recall(of_source& what) {
  bool first = true;
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    const auto& spec = specs_[i];
    auto& seen = what.seen.emplace_back(
        dedup_memory{.ids{spec.window, key_, &beyond_}, .clock{}, .is_kept_outside = true});
    what.forgotten.push_back(beginning_of_time);
    what.horizon.push_back(end_of_time);
    what.expected.push_back(end_of_time);
    auto& pages = what.pages.emplace_back();
    if (!what.concerned[i]) continue;
    offset_ranges covered;
    std::string unanswered;
    const auto found = state_.recall(spec.kept_as(), what.where, [&](const port::seen_page& each) {
      try {
        seen.ids.insert(each.occurrences);
        covered.add(each.from, each.until);
      } catch (const flow::unanswered& problem) {
        unanswered = problem.what();
      }
      seen.ids.make_room();
      pages.push_back({each.from, each.until});
      // What is not there any more has been forgotten on purpose.
      what.forgotten.back() = std::max(what.forgotten.back(), each.forgotten);
    });
    if (!found) unanswered = to_string(found.error());
    if (!unanswered.empty())
      log_(severity::warn, spec.name + ": what it has seen of " + to_string(what.where) + " is read again from the source: " +
                               unanswered);
    what.covered = std::exchange(first, false) ? covered : what.covered.common_with(covered);
  }
}

dedup_memory* memories::of(const source& from, const clocks& now) {
  auto& what = at(from);
  for (std::size_t i = 0; i < specs_.size(); ++i) what.seen[i].clock = now.empty() ? stream_clock{} : now[i];
  return what.seen.data();
}

void memories::cover(const source& from, std::int64_t first, std::int64_t until) {
  auto& what = at(from);
  // What another lane has taken through before is written down, and others have it.
  for (auto begin = what.covered.first_missing(first, until); begin < until;) {
    const auto end = what.covered.first_there(begin, until);
    what.unsaved.add(begin, end);
    begin = what.covered.first_missing(end, until);
  }
  what.covered.add(first, until);
}

void memories::need(const source& from, const clocks& now) {
  auto& what = at(from);
  for (std::size_t i = 0; i < now.size(); ++i)
    what.horizon[i] = std::min(what.horizon[i], oldest_at(now[i], specs_[i]));
}

void memories::expect(const source& from, const clocks& now) {
  auto& what = at(from);
  for (std::size_t i = 0; i < now.size(); ++i)
    what.expected[i] = std::min(what.expected[i], oldest_at(now[i], specs_[i]));
  what.expected_until = loop_.now() + expected_for;
}

void memories::witness(const source& from, const fingerprint& last) {
  auto& own = at(from).last;
  if (last.offset > own.offset) own = last;
}

void memories::doubt(const source& from) {
  auto& what = at(from);
  what.last = {};
  ++what.doubts;
}

std::int64_t memories::needed_from(const source& from, const clocks& now, std::int64_t next) {
  auto& what = at(from);
  for (std::size_t i = 0; i < now.size(); ++i)
    next = std::min(next, what.seen[i].ids.first_since(oldest_at(now[i], specs_[i])));
  return next;
}

bool memories::suffice(const course& who) {
  auto& what = at(*who.from);
  if (who.look_back_to == who.next) return true;
  for (std::size_t i = 0; i < specs_.size(); ++i)
    if (what.forgotten[i] > oldest_at(who.now[i], specs_[i])) {
      what.covered.clear();
      what.forgotten[i] = beginning_of_time;
    }
  return what.covered.contain(who.look_back_to, who.next);
}

std::int64_t memories::first_missing(const course& who) {
  return at(*who.from).covered.first_missing(who.look_back_to, who.next);
}

std::int64_t memories::next_known(const course& who) {
  return at(*who.from).covered.first_there(first_missing(who), who.next);
}

void memories::do_without(const course& who) { at(*who.from).covered.add(who.look_back_to, who.next); }

std::int64_t memories::oldest_needed(const course& who) const {
  auto oldest = end_of_time;
  for (std::size_t i = 0; i < specs_.size(); ++i) oldest = std::min(oldest, oldest_at(who.now[i], specs_[i]));
  return oldest;
}

bool memories::may_learn(const source& from, const shared_page& what) {
  const auto& own = at(from);
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    const auto part = what.seen.find(specs_[i].kept_as());
    if (own.concerned[i] && (part == what.seen.end() || part->second.window < specs_[i].window.count() ||
                             part->second.way != ways_[i]))
      return false;
  }
  return true;
}

// Kept here too, so that the next start of this worker asks nobody.
void memories::learn(const source& from, const shared_page& what, std::int64_t first) {
  auto& own = at(from);
  first = std::max(first, what.from);
  if (own.covered.contain(first, what.until)) return;
  std::vector<port::seen_page> kept;
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (!own.concerned[i]) continue;
    auto all = what.seen.at(specs_[i].kept_as()).all;
    std::erase_if(all, [&](const auto& each) { return each.offset < first; });
    try {
      own.seen[i].ids.insert(all);
    } catch (const flow::unanswered&) {
      return;
    }
    own.seen[i].ids.make_room();
    if (std::ranges::find(own.pages[i], first, &page::from) != own.pages[i].end()) continue;
    own.pages[i].push_back({first, what.until});
    kept.push_back({specs_[i].kept_as(), what.where, first, what.until, own.forgotten[i], std::move(all)});
  }
  own.covered.add(first, what.until);
  keep(kept, {});
}

bool memories::is_worth_saving() const {
  return loop_.now() >= saved_ + save_every || count_of_new() >= save_at;
}

std::size_t memories::count_of_new() const {
  std::size_t fresh = 0;
  for (const auto& [id, each] : sources_)
    for (const auto& seen : each.seen) fresh += seen.ids.count_of_new();
  return fresh;
}

void memories::save() {
  saved_ = loop_.now();
  for (auto& [id, each] : sources_) save(each);
  make_room();
}

bool memories::needs_room() const { return count_of_new() >= room_is_for_ + make_room_at; }

void memories::make_room() {
  room_is_for_ = count_of_new();
  for (auto& [id, each] : sources_)
    for (auto& seen : each.seen) seen.ids.make_room();
}

std::int64_t memories::forget(of_source& what) {
  auto needed = end_of_time;
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    auto& ids = what.seen[i].ids;
    if (loop_.now() >= what.expected_until) what.expected[i] = end_of_time;
    if (auto horizon = std::exchange(what.horizon[i], end_of_time); horizon != end_of_time) {
      horizon = std::min(horizon, what.expected[i]);
      if (horizon > what.forgotten[i]) ids.forget_before(horizon);
      what.forgotten[i] = std::max(what.forgotten[i], horizon);
    }
    needed = std::min(needed, ids.first_since(what.forgotten[i]));
  }
  return needed;
}

void memories::save(of_source& what) {
  std::vector<port::seen_page> written;
  std::vector<port::seen_page> outdated;
  std::vector<std::vector<occurrence>> fresh(specs_.size());
  const auto needed = forget(what);
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (!what.concerned[i]) continue;
    std::erase_if(what.pages[i], [&](const page& each) {
      if (each.until > needed) return false;
      outdated.push_back({.node = specs_[i].kept_as(), .where = what.where, .from = each.from, .occurrences = {}});
      return true;
    });
    // What is tried again is judged again, and counts once it is through.
    fresh[i] = what.seen[i].ids.take_new();
    if (what.unsaved.empty()) continue;
    for (const auto& [from, until] : what.unsaved) {
      port::seen_page made{specs_[i].kept_as(), what.where, from, until, what.forgotten[i], {}};
      for (const auto& each : fresh[i])
        if (each.offset >= from && each.offset < until) made.occurrences.push_back(each);
      what.pages[i].push_back({from, until});
      written.push_back(std::move(made));
    }
  }
  for (const auto& [from, until] : what.unsaved) share(what, from, until, fresh);
  what.unsaved.clear();
  keep(written, outdated);
}

void memories::share(const of_source& what, std::int64_t from, std::int64_t until,
                     const std::vector<std::vector<occurrence>>& fresh) {
  if (!others_.is_open()) return;
  shared_page made{.key{},
                   .session = what.doubts,
                   .last = what.last,
                   .where = what.where,
                   .from = from,
                   .until = until,
                   .seen{}};
  std::size_t count = 0;
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (!what.concerned[i]) continue;
    auto& [window, way, all] = made.seen[specs_[i].kept_as()];
    window = specs_[i].window.count();
    way = ways_[i];
    std::ranges::copy_if(fresh[i], std::back_inserter(all),
                         [&](const auto& each) { return each.offset >= from && each.offset < until; });
    count += all.size();
  }
  if (made.seen.empty()) return;
  if (count <= most_in_a_shared_page) return others_.publish(what.lane, std::move(made));
  // Nobody can have what one record alone has made too much of.
  if (until - from == 1) return;
  const auto middle = from + (until - from) / 2;
  share(what, from, middle, fresh);
  share(what, middle, until, fresh);
}

void memories::keep(const std::vector<port::seen_page>& written, const std::vector<port::seen_page>& outdated) {
  if (written.empty() && outdated.empty()) return;
  const auto stored = state_.remember(written, outdated);
  if (!stored && !std::exchange(said_, true))
    log_(severity::warn, "what the dedups have seen cannot be kept, and will be read again from the source: " +
                             to_string(stored.error()));
  if (stored) said_ = false;
}

}  // namespace flow::engine
