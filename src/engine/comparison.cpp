#include "comparison.hpp"

#include <algorithm>

namespace flow::engine {
namespace {

// So far is looked for a record that is not where it belongs, in either direction.
constexpr std::size_t horizon = 1000;

std::string_view part_that_differs(const digest& a, const digest& b) {
  if (a.value != b.value) return "value";
  if (a.key != b.key) return "key";
  return a.headers != b.headers ? "headers" : "timestamp";
}

}  // namespace

comparison::comparison(std::vector<wanted_source> sources, nature of) : of_{of} {
  for (auto& each : sources) sources_.push_back({std::move(each)});
  verdict_.by_key = of.by_key;
}

void comparison::expect(std::size_t source, const wanted_record& what) {
  if (!of_.by_key) return sources_[source].wanted.push_back(what);
  auto& key = keys_[what.what.key];
  key.source = source;
  key.wanted = what;
}

void comparison::set_aside(const digest& what) {
  ++aside_[what];
}

void comparison::find(const found_record& what) {
  if (of_.by_key) {
    keys_[what.what.key].found = what;
    return;
  }
  sum_found_.add(what.what);
  if (!verdict_.first) found_.push_back(what);
}

void comparison::settle() {
  while (!found_.empty() && !verdict_.first) {
    const auto what = take();
    if (what == step::waits) return;
    if (what == step::differs) diagnose();
  }
  if (verdict_.first) found_.clear();
  if (verdict_.first || all_found_) drain();
  if (of_.by_key && all_found_ && is_settled()) compare_last();
}

comparison::step comparison::take() {
  const auto what = found_.front();
  if (!match(what) && !align(what)) {
    if (waits_for_source()) return step::waits;
    if (const auto other = aside_.find(what.what); other != aside_.end()) {
      if (--other->second == 0) aside_.erase(other);
      sum_expected_.add(what.what);
    } else if (what.is_repetition) {
      sum_expected_.add(what.what);
    } else if (std::ranges::any_of(sources_, [](const source& each) { return each.is.is_cut && !each.aligned; })) {
      sum_expected_.add(what.what);
      ++verdict_.gone_at_home;
    } else {
      return can_look_ahead() ? step::waits : step::differs;
    }
  }
  found_.pop_front();
  return step::matched;
}

bool comparison::match(const found_record& what) {
  for (auto& from : sources_) {
    if (from.wanted.empty() || from.wanted.front().what != what.what) continue;
    pass(from, from.wanted.front());
    from.wanted.pop_front();
    return true;
  }
  return false;
}

// Where the beginning is gone, the first record that is left says how much of it.
bool comparison::align(const found_record& what) {
  if (!of_.begins_late) return false;
  for (auto& from : sources_) {
    if (from.aligned) continue;
    const auto next = std::ranges::find(from.wanted, what.what, &wanted_record::what);
    const bool is_there = next != from.wanted.end();
    if (!is_there && looks_far()) continue;
    verdict_.gone += static_cast<std::uint64_t>(next - from.wanted.begin());
    if (is_there) pass(from, *next);
    from.wanted.erase(from.wanted.begin(), is_there ? next + 1 : next);
    if (is_there) return true;
  }
  return false;
}

bool comparison::waits_for_source() const {
  return std::ranges::any_of(sources_, [&](const source& each) {
    return !each.ended && (each.wanted.empty() || (of_.begins_late && !each.aligned));
  });
}

bool comparison::can_look_ahead() const {
  const bool more_found = !all_found_ && found_.size() < horizon;
  return more_found ||
         std::ranges::any_of(sources_, [](const source& each) { return !each.ended && each.wanted.size() < horizon; });
}

void comparison::pass(source& from, const wanted_record& what) {
  from.aligned = true;
  sum_expected_.add(what.what);
  passed_.emplace_back(what.what, std::pair{static_cast<std::size_t>(&from - sources_.data()), what.offset});
  if (passed_.size() > horizon) passed_.pop_front();
}

bool comparison::is_found_later(const digest& what) const {
  return std::find_if(found_.begin() + 1, found_.end(), [&](const auto& each) { return each.what == what; }) !=
         found_.end();
}

void comparison::diagnose() {
  const auto& there = found_.front();
  const auto same = [&](const auto& each) { return each.what == there.what; };
  for (const auto& from : sources_) {
    const auto later = std::ranges::find_if(from.wanted, same);
    if (later == from.wanted.end()) continue;
    const auto& first = from.wanted.front();
    if (is_found_later(first.what))
      return differ({.what = difference::kind::reordered, .offset = there.offset}, &from, later->offset);
    return differ({.what = difference::kind::missing, .offset = there.offset}, &from, first.offset);
  }
  const auto before =
      std::find_if(passed_.rbegin(), passed_.rend(), [&](const auto& each) { return each.first == there.what; });
  if (before != passed_.rend())
    return differ({.what = difference::kind::repeated, .offset = there.offset}, &sources_[before->second.first],
                  before->second.second);
  for (const bool of_its_key : {true, false})
    for (const auto& from : sources_) {
      if (from.wanted.empty() || is_found_later(from.wanted.front().what)) continue;
      const auto& first = from.wanted.front();
      if (of_its_key && first.what.key != there.what.key) continue;
      return differ({.what = difference::kind::changed,
                     .offset = there.offset,
                     .part = part_that_differs(first.what, there.what)},
                    &from, first.offset);
    }
  differ({.what = difference::kind::unexpected, .offset = there.offset}, nullptr, std::nullopt);
}

void comparison::differ(difference what, const source* from, std::optional<std::int64_t> from_offset) {
  if (from) what.from = from->is.where, what.from_offset = from_offset;
  verdict_.first = std::move(what);
}

// Nothing more is there for what is still wanted.
void comparison::drain() {
  for (auto& from : sources_) {
    const bool may_be_gone = of_.begins_late && !from.aligned;
    for (const auto& each : from.wanted) {
      if (!each.is_due) {
        ++verdict_.behind;
      } else if (may_be_gone) {
        ++verdict_.gone;
      } else {
        sum_expected_.add(each.what);
        if (!verdict_.first) differ({.what = difference::kind::missing}, &from, each.offset);
      }
    }
    from.wanted.clear();
  }
}

// Older records of a key may be gone or not, on either side, and so may one that is null.
void comparison::compare_last() {
  for (const auto& [hash, key] : keys_) {
    if (key.found) sum_found_.add(key.found->what);
    if (!key.wanted) {
      const bool may_be = key.found->is_null || aside_.contains(key.found->what) || sources_.front().is.is_cut;
      if (!may_be && !verdict_.first)
        differ({.what = difference::kind::unexpected, .offset = key.found->offset}, nullptr, std::nullopt);
      continue;
    }
    const auto& last = *key.wanted;
    const bool is_equal = key.found && (key.found->what == last.what || aside_.contains(key.found->what));
    if (!last.is_due && !is_equal) {
      ++verdict_.behind;
      if (key.found) sum_expected_.add(key.found->what);
      continue;
    }
    if (!key.found && (last.is_null || aside_.contains(last.what) || of_.begins_late)) continue;
    sum_expected_.add(is_equal ? key.found->what : last.what);
    if (is_equal || verdict_.first) continue;
    if (key.found)
      differ({.what = difference::kind::changed,
              .offset = key.found->offset,
              .part = part_that_differs(last.what, key.found->what)},
             &sources_[key.source], last.offset);
    else
      differ({.what = difference::kind::missing}, &sources_[key.source], last.offset);
  }
  keys_.clear();
}

std::size_t comparison::wanted() const {
  std::size_t all = 0;
  for (const auto& each : sources_) all += each.wanted.size();
  return all;
}

bool comparison::is_settled() const {
  return all_found_ && found_.empty() &&
         std::ranges::all_of(sources_, [](const source& each) { return each.ended && each.wanted.empty(); });
}

verified_partition comparison::verdict() const {
  auto made = verdict_;
  made.found = {sum_found_.count(), sum_found_.text()};
  made.expected = {sum_expected_.count(), sum_expected_.text()};
  for (const auto& [what, count] : aside_) made.set_aside += count;
  return made;
}

}  // namespace flow::engine
