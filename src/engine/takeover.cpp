#include <algorithm>
#include <charconv>
#include <limits>

#include "lane_positions.hpp"
#include "writing.hpp"

#include <flow/topic.hpp>

/// Taking over lanes: how a worker comes to know exactly how far they are, whoever wrote them before and however that
/// ended. The order of the steps is the protocol; docs/internals/commit-protocol.md shows what breaks without each.
namespace flow::engine {
namespace {

using namespace std::chrono_literals;
using kind = port::offset_query::kind;
using port::isolation;

// How long an answer may be held up by a transaction of somebody else before we look whose it is. It may be far away
// instead, so each time it is waited for longer.
constexpr port::milliseconds patience = 1s, longest_patience = 8s;
constexpr auto check_limit = 5s;

std::int64_t sequence_in(const std::string& metadata) {
  std::int64_t sequence = 0;
  std::from_chars(metadata.data(), metadata.data() + metadata.size(), sequence);
  return sequence;
}

template <typename T>
const failure* first_failure(const std::vector<result<T>>& answers) {
  for (const auto& each : answers)
    if (!each) return &each.error();
  return nullptr;
}

}  // namespace

task<void> writing::find_places(std::vector<lane*> lanes) {
  auto found = co_await find_places_of(lanes);
  placed_ = std::move(lanes);
  found_ = std::move(found);
  turned_.notify();
}

task<result<void>> writing::find_places_of(std::vector<lane*>& lanes) {
  for (auto* each : lanes) {
    for (const auto& course : each->courses) at_.reading.leave(*course);
    each->courses.clear();
    each->taken = false;
  }
  auto read = co_await read_positions(lanes);
  if (read) read = co_await restore(lanes);
  if (!read) co_return read;
  co_await step("positions read");
  for (auto* each : lanes) {
    auto local = at_.state.read({at_.name, each->number});
    if (!local) co_return tl::unexpected{local.error()};
    if (*local && (*local)->sequence > each->sequence)
      co_return fail(failure_kind::refused,
                     "the state directory knows lane " + std::to_string(each->number) + " on " + at_.name +
                         " up to commit " + std::to_string((*local)->sequence) + ", " + at_.names.lanes_topic() +
                         " only up to " + std::to_string(each->sequence) + ": the cluster has lost commits",
                     "restore that cluster's data; or, to repeat what it lost, move the state directory away");
  }
  if (auto left = co_await refuse_to_leave_behind(lanes); !left) co_return left;
  auto opened = co_await open_courses(lanes);
  if (!opened) co_return opened;
  // Once a lane has a position, what it lacks counts as having appeared later, and is read from its first record.
  for (const auto* each : lanes)
    for (const auto& course : each->courses)
      if (each->sequence == 0 && course->next < 0 && course->halted.empty())
        co_return fail(failure_kind::retriable, "where to begin in " + to_string(course->from->where) + " on " +
                                                    at_.options.home + " cannot be found out");
  co_return result<void>{};
}

// A node of another name, or none, reads nothing of what the former one has written. The only internal topics in a
// position are the application's own.
task<result<void>> writing::refuse_to_leave_behind(const std::vector<lane*>& lanes) {
  using offsets = std::vector<std::int64_t>;
  std::vector<topic_partition> where;
  std::vector<std::int64_t> next;
  for (const auto* each : lanes)
    for (const auto& [from, at] : each->committed)
      if (is_internal_topic(from.topic) && !at_.reading.selects(from.topic) && at_.reading.is_listed(from))
        where.push_back(from), next.push_back(at.next);
  auto& home = at_.reading.home();
  const auto find = [&](kind what) {
    return gather<offsets>(at_.loop, where.size(), [&, what](std::size_t i, auto done) {
      home.find_offsets({where[i]}, {what}, std::move(done));
    });
  };
  auto first = co_await find(kind::earliest);
  auto behind = co_await find(kind::last_stable);
  std::string left;
  for (std::size_t i = 0; i < where.size(); ++i) {
    for (const auto* each : {&first[i], &behind[i]})
      if (!*each && each->error().kind != failure_kind::missing) co_return tl::unexpected{each->error()};
    if (!first[i] || !behind[i]) continue;
    const auto from = std::max(next[i], first[i]->front()), until = behind[i]->front();
    if (from < until)
      left += (left.empty() ? "" : ", ") + to_string(where[i]) + " from offset " + std::to_string(from) + " to " +
              std::to_string(until - 1);
  }
  if (left.empty()) co_return result<void>{};
  co_return fail(failure_kind::refused,
                 at_.name + " has still to get what is in " + left + " on " + at_.options.home +
                     ", and no node of the topology reads that any more",
                 "run the former topology until nothing is left there, or give it up and delete that topic");
}

// One partition without a leader is no reason for the other lanes to wait, nor for those that have been taken over.
task<result<void>> writing::leave_out_those_that_cannot_be_asked(std::vector<lane*>& lanes, std::string topic) {
  using offsets = std::vector<std::int64_t>;
  auto asked = co_await gather<offsets>(at_.loop, lanes.size(), [&](std::size_t i, auto done) {
    at_.cluster.find_offsets({{topic, lanes[i]->number}}, {kind::high_watermark}, std::move(done));
  });
  if (taken_lanes().empty() && std::ranges::none_of(asked, [](const auto& each) { return each.has_value(); }))
    co_return tl::unexpected{asked.front().error()};
  std::vector<lane*> left;
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    if (asked[i]) {
      lanes[i]->asking.reset();
      left.push_back(lanes[i]);
      continue;
    }
    lanes[i]->ask_again = at_.loop.now() + lanes[i]->asking();
    trouble_.raise(asked[i].error());
  }
  lanes = std::move(left);
  co_return result<void>{};
}

task<result<void>> writing::read_positions(std::vector<lane*>& lanes) {
  for (auto limit = patience; !closing(); limit = std::min(2 * limit, longest_patience)) {
    if (lanes.empty()) co_return result<void>{};
    std::vector<topic_partition> where;
    for (const auto* each : lanes) where.push_back(at_.lane_topic(each->number));
    // A pending offset is an undecided transaction: "none" would be a guess.
    auto offsets = co_await answer<std::vector<port::group_offset>>(at_.loop, [&](auto done) {
      at_.cluster.group_offsets(at_.names.group(), where, isolation::read_committed, limit, std::move(done));
    });
    if (!offsets && offsets.error().kind == failure_kind::timed_out) {
      trouble_.raise(offsets.error());
      co_await evict(lanes, limit);
      continue;
    }
    if (!offsets) co_return tl::unexpected{offsets.error()};

    auto first = co_await answer<std::vector<std::int64_t>>(
        at_.loop, [&](auto done) { at_.cluster.find_offsets(where, {kind::earliest}, std::move(done)); });
    if (!first) {
      const auto asked = lanes.size();
      auto others = co_await leave_out_those_that_cannot_be_asked(lanes, at_.names.lanes_topic());
      if (!others) co_return others;
      if (lanes.size() == asked) co_return tl::unexpected{first.error()};
      continue;
    }
    // The high watermark, not the last stable offset: the markers of the offsets just fetched may be there while those
    // on this topic are late, and an older open transaction may hold the last stable offset back.
    auto behind = co_await answer<std::vector<std::int64_t>>(
        at_.loop, [&](auto done) { at_.cluster.find_offsets(where, {kind::high_watermark}, std::move(done)); });
    if (!behind) co_return tl::unexpected{behind.error()};

    auto ranges = co_await gather<port::range_read>(at_.loop, lanes.size(), [&](std::size_t i, auto done) {
      const auto from = std::max((*offsets)[i].offset, (*first)[i]);
      at_.cluster.read_range(where[i], from, (*behind)[i], isolation::read_committed, limit, std::move(done));
    });
    std::vector<lane*> held_up;
    for (std::size_t i = 0; i < lanes.size(); ++i)
      if (!ranges[i] && ranges[i].error().kind == failure_kind::timed_out) held_up.push_back(lanes[i]);
    if (!held_up.empty()) {
      co_await evict(held_up, limit);
      continue;
    }
    if (const auto* failed = first_failure(ranges)) co_return tl::unexpected{*failed};

    for (std::size_t i = 0; i < lanes.size(); ++i) {
      lane& each = *lanes[i];
      each.sequence = 0;
      each.position_offset = 0;
      each.committed.clear();
      for (const auto& record : ranges[i]->records) {
        if (record.key != position_key || !record.value) continue;
        auto found = own_position(record, where[i], at_.name, at_.provenance_now());
        if (!found) co_return tl::unexpected{found.error()};
        if (found->sequence <= each.sequence) continue;
        each.sequence = found->sequence;
        each.position_offset = record.offset;
        each.committed = std::move(found->sources);
      }
      if (const auto promised = sequence_in((*offsets)[i].metadata); each.sequence < promised)
        co_return fail(failure_kind::refused,
                       to_string(where[i]) + " on " + at_.name + " ends at commit " + std::to_string(each.sequence) +
                           ", and its group has seen " + std::to_string(promised) + ": the topic has lost records",
                       "restore the topic; nothing is written until its positions can be trusted");
    }
    co_return result<void>{};
  }
  co_return fail(failure_kind::retriable, "taking over lanes on " + at_.name + " was broken off");
}

// What holds readers up is an open transaction. If its owner has left the group, nobody will end it before its timeout,
// so we do.
task<void> writing::evict(std::vector<lane*> lanes, port::milliseconds limit) {
  std::vector<topic_partition> where;
  for (const auto* each : lanes) where.push_back(at_.lane_topic(each->number));
  auto offsets = co_await answer<std::vector<port::group_offset>>(at_.loop, [&](auto done) {
    at_.cluster.group_offsets(at_.names.group(), where, isolation::read_uncommitted, limit, std::move(done));
  });
  auto first = co_await answer<std::vector<std::int64_t>>(
      at_.loop, [&](auto done) { at_.cluster.find_offsets(where, {kind::earliest}, std::move(done)); });
  auto behind = co_await answer<std::vector<std::int64_t>>(
      at_.loop, [&](auto done) { at_.cluster.find_offsets(where, {kind::high_watermark}, std::move(done)); });
  auto members = co_await answer<std::vector<port::group_member>>(
      at_.loop, [&](auto done) { at_.cluster.group_members(at_.names.group(), std::move(done)); });
  if (!offsets || !first || !behind || !members) {
    co_await at_.loop.sleep(patience);
    co_return;
  }
  auto ranges = co_await gather<port::range_read>(at_.loop, lanes.size(), [&](std::size_t i, auto done) {
    const auto from = std::max((*offsets)[i].offset, (*first)[i]);
    at_.cluster.read_range(where[i], from, (*behind)[i], isolation::read_uncommitted, limit, std::move(done));
  });
  std::set<std::string> gone;
  for (const auto& range : ranges) {
    if (!range) continue;
    std::optional<writer> last;
    for (const auto& record : range->records) {
      if (!record.value) continue;
      if (record.key == claim_key)
        if (auto made = decode_claim(*record.value)) last = made->by;
      if (record.key == position_key)
        if (auto written = decode_position(*record.value)) last = written->by;
    }
    if (!last) continue;
    const bool is_ours = last->instance == writer_now().instance;
    const bool is_member = std::any_of(members->begin(), members->end(),
                                       [&](const auto& each) { return each.instance_id == last->instance; });
    if (is_ours ? !by_.writes_as(last->transactional_id) : !is_member) gone.insert(last->transactional_id);
  }
  // It is answered when all markers are written. Those of a partition that is ill may take long, and ours need not
  // wait.
  for (const auto& id : gone) {
    if (!fencing_->insert(id).second) continue;
    at_.log(severity::info, at_.name + ": ending the transaction that " + id + " left open");
    at_.cluster.fence(id, [fencing = fencing_, id](const result<void>&) { fencing->erase(id); });
  }
  co_await at_.loop.sleep(100ms);
}

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
  static const std::string start_over =
      "; to go on without them, start under another application name, from a time of your choice)";

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
    if (each.next < *(*first)[i])
      halt(each, "offsets " + std::to_string(each.next) + ".." + std::to_string(*(*first)[i] - 1) + " are gone from " +
                     at_.options.home + " (they were deleted before they were read" + start_over);
    else if (each.next > *(*behind)[i])
      doubt(each), halt(each, to_string(where) + " on " + at_.options.home + " ends at " + std::to_string(*(*behind)[i]) +
                     " (the topic was deleted and made anew, or has lost records" + start_over);
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

task<result<void>> writing::claim_lanes(std::vector<lane*> lanes) {
  const auto encoded_claim = std::make_shared<std::string>(encode(claim{writer_now()}));
  outgoing claims;
  claims.buffers.push_back(encoded_claim);
  std::vector<written_lane> written;
  for (auto* each : lanes) {
    claims.records.push_back({.topic = outputs::lanes_topic,
                              .partition = each->number,
                              .timestamp = stamped_by_the_broker,
                              .key = claim_key,
                              .value = *encoded_claim,
                              .headers = {}});
    written.push_back(write_position(*each));
  }
  in_transaction_ = 0;
  producer_->begin();
  tell_topics();
  producer_->send(std::move(claims));
  auto done = co_await commit(std::move(written), {});
  if (done)
    for (auto* each : lanes) each->taken = true;
  co_return done;
}

}  // namespace flow::engine
