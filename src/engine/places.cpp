#include <algorithm>
#include <map>

#include "lane_positions.hpp"
#include "refusals.hpp"
#include "writing.hpp"

/// Where lanes go on in their source partitions: where they have come to, if the source still holds that, or where what
/// nobody has read for this target begins.
namespace flow::engine {
namespace {

using namespace std::chrono_literals;
using kind = port::offset_query::kind;
using port::isolation;

constexpr auto check_limit = 5s;

}  // namespace

task<result<void>> writing::open_courses(std::vector<lane*> lanes) {
  std::vector<course*> opened;
  std::vector<course*> placed;
  for (auto* each : lanes)
    for (const auto* from : at_.reading.of_task(each->number)) {
      if (!at_.takes(*from)) continue;
      const auto is_open = [&](const auto& one) { return one->from == from; };
      const auto there = std::find_if(each->courses.begin(), each->courses.end(), is_open);
      if (there != each->courses.end()) {
        if ((*there)->interrupted && (*there)->halted.empty())
          ((*there)->next < 0 ? opened : placed).push_back(there->get());
        continue;
      }
      each->courses.push_back(std::make_unique<course>());
      auto* fresh = each->courses.back().get();
      fresh->from = from;
      fresh->of = each;
      fresh->interrupted = true;
      if (at_.process) fresh->kept = &kept_in(*each, from->where.partition);
      const auto known = each->committed.find(from->where);
      if (known == each->committed.end()) {
        opened.push_back(fresh);
        continue;
      }
      fresh->next = known->second.next;
      fresh->last = known->second.last;
      fresh->begin = known->second.begin;
      fresh->look_back_to = known->second.look_back_to;
      fresh->parked = known->second.parked;
      // A release that was under way goes on where it was.
      fresh->recalled = !fresh->parked.released.empty();
      if (fresh->kept)
        if (auto kept = go_on_keeping(fresh->kept->state, known->second); !kept) co_return kept;
      if (!may_park(*fresh)) continue;
      for (const auto& dedup : at_.topology.dedups()) {
        const auto there = known->second.dedups.find(dedup.kept_as());
        fresh->now.push_back(there == known->second.dedups.end() ? stream_clock{} : there->second.clock);
        // One that is new, or looks back further than it did, needs what the others do without.
        if (there == known->second.dedups.end() || there->second.window < dedup.window.count())
          fresh->look_back_to = fresh->begin;
      }
      placed.push_back(fresh);
    }
  auto begun = co_await begin_courses(std::move(opened));
  if (!begun) co_return begun;
  auto checked = co_await check_places(placed);
  if (checked && at_.reading.memories().used()) checked = co_await find_look_backs(std::move(placed));
  co_return checked;
}

// What the dedups have to know comes from other workers, and is read again where nobody knows it, as far as it is still
// there.
task<result<void>> writing::find_look_backs(std::vector<course*> placed) {
  const auto has_all = [&](auto* each) {
    return each->interrupted || !each->halted.empty() || at_.reading.memories().suffice(*each);
  };
  std::erase_if(placed, has_all);
  co_await at_.reading.learn(placed);
  std::erase_if(placed, has_all);
  auto first = co_await find_each(placed, {kind::earliest});
  if (!first) co_return tl::unexpected{first.error()};
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const auto there = (*first)[i];
    if (!there || *there <= at_.reading.memories().first_missing(*placed[i])) continue;
    placed[i]->look_back_to = *there;
    at_.log(severity::warn,
            at_.options.home + ": repetitions of what came before offset " + std::to_string(*there) + " of " +
                to_string(placed[i]->from->where) +
                " are not seen, since that is gone (keep the source for longer than the dedup's window)");
  }
  co_return result<void>{};
}

// Where a partition is begun that no lane of this target has read. What appears once its lane has a position is read
// from its first record, whoever was running by then.
task<result<void>> writing::begin_courses(std::vector<course*> opened) {
  std::map<start_at, std::vector<course*>> by_wish;
  std::vector<course*> behind_another;
  const auto* first = by_.first();
  const auto* other = first ? std::get_if<flow::place_of>(first) : nullptr;
  for (auto* each : opened) {
    const auto& own = at_.topology.sources()[each->from->entries.front().source].start;
    const bool appeared_later = each->from->found_in > by_.begun_in() || each->of->sequence > 0;
    if (appeared_later)
      by_wish[start_at{}].push_back(each);
    else if (other)
      behind_another.push_back(each);
    else
      by_wish[first ? std::get<start_at>(*first) : own.value_or(at_.options.start)].push_back(each);
  }
  for (auto& [wish, courses] : by_wish)
    if (auto begun = co_await begin_at(wish, std::move(courses)); !begun) co_return begun;
  if (!behind_another.empty()) co_return co_await begin_as_far_as(other->cluster, std::move(behind_another));
  co_return result<void>{};
}

void writing::begin(course& who, std::int64_t next) const {
  who.next = who.begin = who.look_back_to = next;
  who.now.resize(at_.topology.dedups().size());
  who.interrupted = false;
}

task<result<void>> writing::begin_at(start_at where, std::vector<course*> opened) {
  const auto which = where.where == start_at::kind::earliest ? kind::earliest
                     : where.where == start_at::kind::latest ? kind::high_watermark
                                                             : kind::at_time;
  auto found = co_await find_each(opened, {which, where.time});
  if (!found) co_return tl::unexpected{found.error()};
  for (std::size_t i = 0; i < opened.size(); ++i)
    if (const auto next = (*found)[i]) begin(*opened[i], *next);
  co_return result<void>{};
}

// What another target's lanes have committed, as far as that is decided by now: behind it they may only be further.
task<result<void>> writing::begin_as_far_as(std::string other, std::vector<course*> opened) {
  std::vector<std::int32_t> lanes;
  for (const auto* each : opened)
    if (std::ranges::count(lanes, each->of->number) == 0) lanes.push_back(each->of->number);
  const lanes_elsewhere there{*at_.clusters.at(other), other, at_.names};
  auto positions = co_await committed_positions(at_.loop, there, lanes, at_.provenance_now());
  if (!positions) co_return tl::unexpected{positions.error()};

  std::vector<course*> unread;
  std::map<topic_partition, source_position> known;
  for (auto& each : *positions)
    if (each) known.merge(each->sources);
  for (auto* each : opened)
    if (const auto place = known.find(each->from->where); place != known.end())
      begin(*each, place->second.next);
    else
      unread.push_back(each);
  constexpr start_at from_its_first_record;
  co_return co_await begin_at(from_its_first_record, std::move(unread));
}

std::string writing::gone(const topic_partition& where) const {
  return to_string(where) + " is gone from " + at_.options.home +
         " (its topic was deleted; one that is made anew holds other records: to read those, start under another " +
         "application name)";
}

// One offset for each course. None for a partition that is gone, whose course then goes no further, and for one that
// cannot be asked for now.
task<result<std::vector<std::optional<std::int64_t>>>> writing::find_each(const std::vector<course*>& courses,
                                                                          port::offset_query what) {
  using offsets = std::vector<std::int64_t>;
  std::vector<std::optional<std::int64_t>> found(courses.size());
  if (courses.empty()) co_return found;
  auto& home = at_.reading.home();
  std::vector<topic_partition> where;
  for (const auto* each : courses) where.push_back(each->from->where);
  auto all = co_await answer<offsets>(at_.loop, [&](auto done) { home.find_offsets(where, what, std::move(done)); });
  if (all) {
    found.assign(all->begin(), all->end());
    co_return found;
  }
  auto each = co_await gather<offsets>(
      at_.loop, where.size(), [&](std::size_t i, auto done) { home.find_offsets({where[i]}, what, std::move(done)); });
  // A broker that has not heard of a new topic yet says that it is missing, too.
  const auto is_final = [&](std::size_t i) {
    const auto kind = each[i].error().kind;
    return kind == failure_kind::denied || (kind == failure_kind::missing && !at_.reading.is_listed(where[i]));
  };
  // What nothing can be asked about is not a matter of this or that partition.
  bool any = false;
  for (std::size_t i = 0; i < each.size(); ++i) any = any || each[i] || is_final(i);
  if (!any) co_return tl::unexpected{all.error()};
  for (std::size_t i = 0; i < each.size(); ++i) {
    if (each[i])
      found[i] = each[i]->front();
    else if (is_final(i) && courses[i]->halted.empty())
      halt(*courses[i], each[i].error().kind == failure_kind::missing ? gone(where[i]) : to_string(each[i].error()));
    else if (!is_final(i))
      interrupted(*courses[i], each[i].error());
  }
  co_return found;
}

// What is read there from now on may be another topic.
void writing::doubt(const course& at) const {
  if (at_.reading.memories().used()) at_.reading.memories().doubt(*at.from);
}

// Whether the source still holds what a course has read last and what it has to read next.
task<result<void>> writing::check_places(std::vector<course*> placed) {
  auto first = co_await find_each(placed, {kind::earliest});
  if (!first) co_return tl::unexpected{first.error()};
  auto behind = co_await find_each(placed, {kind::high_watermark});
  if (!behind) co_return tl::unexpected{behind.error()};

  std::vector<course*> comparable;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    course& each = *placed[i];
    const auto& where = each.from->where;
    if (!(*first)[i] || !(*behind)[i]) continue;
    // What the application tells itself is deleted where all lanes have committed it. Then this one is somebody else's
    // by now, and if not, its position says so.
    const bool is_own = !at_.topology.sources()[each.from->entries.front().source].through.empty();
    if (each.next < *(*first)[i] && is_own && each.of->taken)
      co_return fail(failure_kind::out_of_range,
                     to_string(where) + " is deleted up to " + std::to_string(*(*first)[i]) + ", and lane " +
                         std::to_string(each.of->number) + " is at " + std::to_string(each.next));
    if (each.next > *(*behind)[i]) doubt(each);
    if (const auto why = out_of_reach(each.next, where, at_.options.home, *(*first)[i], *(*behind)[i]))
      halt(each, *why);
    else if (each.last.offset >= *(*first)[i])
      comparable.push_back(&each);
    else
      each.interrupted = false;
  }
  co_return co_await check_fingerprints(std::move(comparable));
}

task<result<void>> writing::check_fingerprints(std::vector<course*> comparable) {
  // So many at a time that each is read within its limit, one after the other.
  constexpr std::size_t at_once = 64;
  auto& home = at_.reading.home();
  std::vector<result<port::range_read>> read;
  while (read.size() < comparable.size()) {
    const auto first = read.size();
    const auto count = std::min(at_once, comparable.size() - first);
    auto some = co_await gather<port::range_read>(at_.loop, count, [&](std::size_t i, auto done) {
      const auto at = comparable[first + i]->last.offset;
      home.read_range(comparable[first + i]->from->where, at, at + 1, isolation::read_committed, check_limit,
                      std::move(done));
    });
    std::move(some.begin(), some.end(), std::back_inserter(read));
  }
  for (std::size_t i = 0; i < comparable.size(); ++i) {
    course& each = *comparable[i];
    // Retention may have taken it in the meantime, or compaction; what cannot be compared is not held against the
    // topic.
    if (!read[i] && read[i].error().kind != failure_kind::out_of_range) {
      interrupted(each, read[i].error());
      continue;
    }
    const bool is_there = read[i] && !read[i]->records.empty() && read[i]->records.front().offset == each.last.offset;
    if (is_there && fingerprint_of(read[i]->records.front()) != each.last)
      doubt(each), halt(each, "offset " + std::to_string(each.last.offset) + " of " + to_string(each.from->where) + " on " +
                     at_.options.home + " is not the record that was read there (the topic was deleted and made " +
                     "anew; to read it from its beginning, start under another application name)");
    else
      each.interrupted = false;
  }
  co_return result<void>{};
}

}  // namespace flow::engine
