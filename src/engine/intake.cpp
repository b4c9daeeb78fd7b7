#include "intake.hpp"

#include <algorithm>

namespace flow::engine {
namespace {

// How long one call may go on: what user code needs for a record is not ours to say.
constexpr std::int64_t longest_run = 50;

/// Says when a run has taken long enough. After each record of slow operators the clock is asked, and seldom of fast ones.
class slice {
 public:
  explicit slice(const std::function<std::int64_t()>& clock) : clock_{clock}, begin_{clock()}, asked_{begin_} {}

  bool is_over() {
    if (--unasked_ > 0) return false;
    const auto now = clock_();
    pace_ = now == asked_ ? std::min(2 * pace_, 64) : 1;
    unasked_ = pace_;
    asked_ = now;
    return now - begin_ >= longest_run;
  }

 private:
  const std::function<std::int64_t()>& clock_;
  const std::int64_t begin_;
  std::int64_t asked_;
  int pace_ = 1;
  int unasked_ = 1;
};

void remember_last(feed& at) {
  if (!at.latest) return;
  at.last = fingerprint_of(at.latest->offset, at.latest->timestamp, at.latest->key, at.latest->value);
  at.latest = nullptr;
}

}  // namespace

std::int64_t next_of(const course& who) { return who.on ? who.on->next : who.next; }

fingerprint last_of(const course& who) {
  if (!who.on) return who.last;
  remember_last(*who.on);
  return who.on->last;
}

const clocks& clocks_of(const course& who) { return who.on ? who.on->now : who.now; }

bool intake::empty() const {
  return std::none_of(feeds_.begin(), feeds_.end(), [](const auto& at) { return at != nullptr; });
}

bool intake::board(course& who) {
  const auto id = who.from->id;
  if (feeds_.size() <= id) feeds_.resize(id + 1);
  auto& at = feeds_[id];
  if (at && at->next != who.next) return false;
  if (!at) {
    at = std::make_unique<feed>(*who.from, who);
    at->since = batches_;
    reader_->assign(id, who.from->where, who.next);
  }
  at->riders.push_back(&who);
  at->active |= who.of->to->sinks();
  who.on = at.get();
  return true;
}

void intake::leave(course& who) {
  feed& at = *who.on;
  who.next = next_of(who);
  who.last = last_of(who);
  who.tried = at.tried;
  who.now = at.now;
  who.on = nullptr;
  std::erase(at.riders, &who);
  at.active = 0;
  for (const auto* rider : at.riders) at.active |= rider->of->to->sinks();
  if (at.riders.empty()) drop(at.from->id);
}

// A batch may still hold what an earlier reading of the same partition, at another place, had fetched.
feed* intake::of_batch(source_id id) const {
  feed* at = find(id);
  return at && at->since < batches_ ? at : nullptr;
}

void intake::drop(source_id id) {
  reader_->unassign(id);
  feeds_[id].reset();
}

void intake::merge_into(intake& other, source_id id) {
  const auto riders = find(id)->riders;
  for (auto* rider : riders) {
    leave(*rider);
    if (const feed* to = other.find(id)) {
      // Over what is no record, which is worth a position all the same.
      rider->dirty = rider->dirty || rider->next != to->next;
      rider->next = to->next;
    }
    other.board(*rider);
  }
}

// The partition's records below `with` have all been taken: where another feed stands within that gap, there is nothing
// between the two, and one reading is enough.
bool intake::catches_up(feed& at, std::int64_t with, intake* ahead) {
  if (!ahead) return false;
  const feed* other = ahead->find(at.from->id);
  if (!other || other->next < at.next || other->next > with) return false;
  merge_into(*ahead, at.from->id);
  return true;
}

// At the end of a partition that nobody reads for all, whoever has got there does from now on.
void intake::come_back(feed& at, intake* ahead) {
  if (ahead && !ahead->find(at.from->id)) merge_into(*ahead, at.from->id);
}

bool intake::run(std::size_t most, intake* ahead) {
  blocked_by_ = nullptr;
  bool moved = false;
  slice time{clock_};
  for (std::size_t taken = 0; taken < most && !(moved && time.is_over()); ++taken) {
    if (cursor_ == batch_.records.size()) {
      if (!next_batch(most)) return moved;
      moved = true;
      if (batch_.records.empty()) {
        finish_batch(ahead);
        continue;
      }
    }
    if (take(batch_.records[cursor_], ahead) == step::blocked) return moved;
    moved = true;
    if (++cursor_ == batch_.records.size()) finish_batch(ahead);
  }
  return moved;
}

bool intake::next_batch(std::size_t most) {
  // Nothing is fetched that has nowhere to go.
  for (const auto& at : feeds_)
    if (at)
      for (const auto* rider : at->riders)
        if (auto& to = *rider->of->to; to.full()) {
          blocked_by_ = &to;
          return false;
        }
  batch_.clear();
  cursor_ = 0;
  if (!reader_->poll(batch_, most)) return false;
  ++batches_;
  held_ = std::make_shared<held>();
  held_->buffers = batch_.buffers;
  wall_clock_ = clock_();
  for (const auto& record : batch_.records)
    held_->size += size_of(record.key, record.value, record.headers) + kept_beside_each;
  return true;
}

void intake::finish_batch(intake* ahead) {
  for (const auto& at : feeds_)
    if (at) remember_last(*at);
  for (const auto& end : batch_.ends) {
    feed* at = of_batch(end.source);
    if (at) reach(*at, std::min(end.next, at->from->until), ahead);
  }
  for (const auto& failed : batch_.failures)
    if (feed* at = of_batch(failed.source)) fail(*at, failed.why);
  batch_.clear();
  cursor_ = 0;
  held_.reset();
}

void intake::reach(feed& at, std::int64_t next, intake* ahead) {
  if (next < at.next || catches_up(at, next, ahead)) return;
  if (next > at.next)
    for (auto* rider : at.riders) rider->dirty = true;
  move(at, next, nullptr);
  come_back(at, ahead);
}

intake::step intake::take(const fetched_record& record, intake* ahead) {
  feed* at = of_batch(record.source);
  if (at && record.offset >= at->from->until) return reach(*at, at->from->until, ahead), step::taken;
  if (!at || record.offset < at->next || catches_up(*at, record.offset, ahead)) return step::taken;
  for (const auto* rider : at->riders)
    if (auto& to = *rider->of->to; to.full()) {
      blocked_by_ = &to;
      return step::blocked;
    }
  return deliver(*at, record);
}

std::optional<blame> intake::push(feed& at, const fetched_record& record) {
  emissions_.clear();
  const bool again = at.tried.offset == record.offset;
  if (again) at.tried.so_far.since = std::chrono::milliseconds{wall_clock_ - at.tried.first};
  const bool looks_back = at.active == 0;
  auto& through = looks_back ? operators_.looking_back() : operators_.of(record, *at.from);
  const transit how{.active = at.active,
                    .written = held_->written,
                    .out = emissions_,
                    .wall_clock = wall_clock_,
                    .before = again ? &at.tried.so_far : nullptr,
                    .seen = memories_.used() ? memories_.of(*at.from, at.now) : nullptr};
  times_.assign(memories_.specs().size(), -1);
  for (const auto& entry : at.from->entries) {
    const auto blamed = through.push(entry, record, how);
    // What is looked back at got through once, or will have to by its own lane.
    if (blamed && !looks_back) return blamed;
    for (std::size_t i = 0; i < times_.size(); ++i)
      if (memories_.concern(i, entry.source)) times_[i] = std::max(times_[i], through.time());
  }
  return std::nullopt;
}

void intake::move(feed& at, std::int64_t to, const fetched_record* past) {
  if (memories_.used()) {
    memories_.cover(*at.from, at.next, to);
    const auto& specs = memories_.specs();
    for (std::size_t i = 0; past && i < at.now.size(); ++i) at.now[i].see(times_[i], specs[i].window);
  }
  at.next = to;
  if (past) at.latest = past;
}

intake::step intake::deliver(feed& at, const fetched_record& record) {
  if (const auto blamed = push(at, record)) {
    if (blamed->again) {
      hold(at, record, *blamed);
    } else {
      operators_.done_with(record, *at.from);
      halt(at, blamed->node + ": " + blamed->reason);
    }
    return step::taken;
  }
  if (at.active != 0) operators_.done_with(record, *at.from);

  // Every route first: who lacks one reads this record again when its target has found out.
  while (auto* lacking = address(at, record)) {
    const bool last = at.riders.size() == 1;
    interrupt(*lacking);
    if (last) return step::taken;
  }

  const auto riders = at.riders.size();
  std::vector<std::pair<course*, std::string>> halted;
  for (std::size_t i = 0; i < riders; ++i) {
    auto& to = *at.riders[i]->of->to;
    const auto parcel_of = [&](std::size_t n) -> const parcel& { return parcels_[n * riders + i]; };
    std::size_t fatal = 0;
    while (fatal < emissions_.size() && !parcel_of(fatal).halts) ++fatal;
    if (fatal < emissions_.size()) {
      halted.emplace_back(at.riders[i], sinks_[emissions_[fatal].sink].name + ": " + parcel_of(fatal).refused);
      continue;
    }
    for (std::size_t n = 0; n < emissions_.size(); ++n) {
      const auto& one = parcel_of(n);
      if (!one.refused.empty()) to.passed_over(emissions_[n].sink, *at.from, record.offset, one.refused);
      if (one.what) to.append(*one.to, *one.what, *at.riders[i], record, held_);
    }
    at.riders[i]->dirty = true;
  }
  for (const auto& [rider, reason] : halted) halt(*rider, reason);
  if (find(record.source) == &at) move(at, record.offset + 1, &record);
  return step::taken;
}

course* intake::address(const feed& at, const fetched_record& record) {
  parcels_.clear();
  letters_.clear();
  for (const auto& what : emissions_)
    for (auto* rider : at.riders)
      if (!address(parcels_.emplace_back(), *rider, what, record)) return rider;
  return nullptr;
}

bool intake::address(parcel& one, course& rider, const emission& what, const fetched_record& record) {
  auto& to = *rider.of->to;
  if (!(to.sinks() >> what.sink & 1)) return true;
  const auto find = [&](const emission& which) {
    one.to = to.routes().find(which.sink, *rider.from, which);
    if (!one.to) to.resolve(which.sink, which.topic.str());
    return one.to != nullptr;
  };
  if (!find(what)) return false;
  one.what = &what;
  one.refused = refusal_of(*one.to, what, wall_clock_);
  const auto* known = to.refused(*rider.from, record.offset);
  if (known && one.refused.empty()) one.refused = known->why;
  if (one.refused.empty()) return true;

  const auto& sink = sinks_[what.sink];
  switch (sink.on_failure.what()) {
    case policy::kind::stop:
      one.halts = true;
      return true;
    case policy::kind::skip:
      one.what = nullptr;
      return true;
    case policy::kind::dead_letter:
      one.what = &letter_for(what, *rider.from, record, one.refused);
      if (!find(*one.what)) return false;
      if (auto why = refusal_of(*one.to, *one.what, wall_clock_); !why.empty()) {
        one.refused = "its dead letter: " + why;
        one.halts = true;
      }
      one.halts = one.halts || (known && known->twice);
      return true;
  }
  return true;
}

const emission& intake::letter_for(const emission& what, const source& from, const fetched_record& record,
                                   const std::string& why) {
  return letters_.emplace_back(topology_.letter_for(
      from.entries.front(), record, {.sink = what.sink, .number = what.number, .why = why, .time = wall_clock_},
      held_->written));
}

void intake::halt(feed& at, const std::string& reason) {
  const auto riders = at.riders;
  for (auto* rider : riders) halt(*rider, reason);
}

void intake::halt(course& who, const std::string& reason) {
  leave(who);
  who.of->to->halt(who, reason);
}

void intake::hold(feed& at, const fetched_record& record, const blame& why) {
  if (at.tried.offset != record.offset || at.tried.so_far.node != why.node)
    at.tried = {record.offset, {why.node, 0, {}}, wall_clock_};
  ++at.tried.so_far.failed;
  const auto riders = at.riders;
  for (auto* rider : riders) {
    leave(*rider);
    rider->of->to->hold(*rider, why);
  }
}

void intake::fail(feed& at, const failure& why) {
  const bool may_work_again = why.kind == failure_kind::retriable || why.kind == failure_kind::timed_out ||
                              why.kind == failure_kind::out_of_range || why.kind == failure_kind::missing;
  if (!may_work_again) return halt(at, to_string(why));
  const auto riders = at.riders;
  for (auto* rider : riders) {
    interrupt(*rider);
    rider->of->to->interrupted(*rider, why);
  }
}

void intake::interrupt(course& who) {
  leave(who);
  who.interrupted = true;
}

}  // namespace flow::engine
