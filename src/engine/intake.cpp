#include "intake.hpp"

#include <algorithm>
#include <ranges>

#include "slice.hpp"

namespace flow::engine {
namespace {

constexpr std::string_view remedy =
    " (mend why it fails, or let the policy of that node skip such records or dead-letter them)";

void remember_last(feed& at) {
  if (!at.latest) return;
  at.last = fingerprint_of(at.latest->offset, at.latest->timestamp, at.latest->key, at.latest->value);
  at.latest = nullptr;
}

bool leads_to(const plan& topology, std::uint32_t source, std::string_view node) {
  return std::any_of(topology.parking().begin(), topology.parking().end(), [&](const auto& each) {
    return each.node == node && std::find(each.sources.begin(), each.sources.end(), source) != each.sources.end();
  });
}

}  // namespace

std::int64_t next_of(const course& who) { return who.on ? who.on->next : who.next; }

fingerprint last_of(const course& who) {
  if (!who.on) return who.last;
  remember_last(*who.on);
  return who.on->last;
}

const route* find_route(destination& to, const source& from, const emission& what) {
  const auto* known = to.routes().find(what.sink, from, what);
  if (!known) to.resolve(what.sink, what.topic.str());
  return known;
}

const clocks& clocks_of(const course& who) { return who.on ? who.on->now : who.now; }

bool intake::empty() const {
  return std::none_of(feeds_.begin(), feeds_.end(), [](const auto& at) { return at != nullptr; });
}

bool intake::board(course& who) {
  const auto id = who.from->id;
  if (feeds_.size() <= id) feeds_.resize(id + 1);
  auto& at = feeds_[id];
  const auto sinks = who.of->to->sinks();
  if (at && (at->next != who.next || !agree(*at, sinks, who.parked.keys))) return false;
  if (!at) {
    at = std::make_unique<feed>(*who.from, who);
    at->since = batches_;
    reader_->assign(id, who.from->where, who.next);
  }
  at->riders.push_back(&who);
  at->active |= sinks;
  at->parked.add(who.parked.keys);
  who.on = at.get();
  return true;
}

void intake::leave(course& who) {
  feed& at = *who.on;
  remember(at);
  who.next = next_of(who);
  who.last = at.last;
  who.tried = at.tried;
  who.now = at.now;
  who.parked.keys = concerning(who.of->to->sinks(), at.parked);
  who.on = nullptr;
  if (who.kept) who.kept->state.forget();
  std::erase(at.riders, &who);
  if (blocked_by_ == who.of->to) blocked_by_ = nullptr;
  at.active = 0;
  for (const auto* rider : at.riders) at.active |= rider->of->to->sinks();
  at.parked = concerning(at.active, at.parked);
  if (at.riders.empty()) drop(at.from->id);
}

// A batch may still hold what an earlier reading of the same partition, at another place, had fetched.
feed* intake::of_batch(source_id id) const {
  feed* at = find(id);
  return at && at->since < batches_ ? at : nullptr;
}

void intake::remember(feed& at) {
  remember_last(at);
  if (memories_.used() && !at.letters) memories_.witness(*at.from, at.last);
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
  if (!ahead || is_full(at)) return false;
  const feed* other = ahead->find(at.from->id);
  if (!other || other->next < at.next || other->next > with || !agree(*other, at.active, at.parked)) return false;
  merge_into(*ahead, at.from->id);
  return true;
}

// At the end of a partition that nobody reads for all, whoever has got there does from now on.
void intake::come_back(feed& at, intake* ahead) {
  if (ahead && !is_full(at) && !ahead->find(at.from->id)) merge_into(*ahead, at.from->id);
}

bool intake::run(std::size_t most, intake* ahead) {
  blocked_by_ = nullptr;
  waits_ = false;
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

bool intake::is_full(const feed& at) {
  return std::ranges::any_of(at.riders, [](const auto* rider) { return rider->of->to->full(); });
}

bool intake::is_blocked(const feed& at) {
  for (const auto* rider : at.riders)
    if (auto& to = *rider->of->to; to.full()) {
      blocked_by_ = &to;
      waits_ = true;
      return true;
    }
  return false;
}

bool intake::next_batch(std::size_t most) {
  // Nothing is fetched that has nowhere to go.
  for (const auto& at : feeds_)
    if (at && is_blocked(*at)) return false;
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
    if (at && at->latest) remember(*at);
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
  return is_blocked(*at) ? step::blocked : deliver(*at, record);
}

std::optional<blame> intake::push(feed& at, const fetched_record& record) {
  emissions_.clear();
  omitted_.clear();
  parks_.clear();
  letter_.reset();
  read_ = &record;
  return_visit visit;
  if (at.letters) {
    letter_ = letter_in(at, record);
    if (!letter_) return std::nullopt;
    original_ = record;
    original_.offset = letter_->from.offset;
    original_.headers = without_letter(record.headers, held_->written);
    read_ = &original_;
    visit.of = &*letter_;
  }
  const bool looks_back = at.active == 0;
  auto& through = looks_back || letter_ ? operators_.looking_back() : operators_.of(record, *at.from);
  const bool parks = !topology_.parking().empty();
  transit how{.active = at.active,
              .written = held_->written,
              .out = emissions_,
              .wall_clock = wall_clock_,
              .before = at.tried.offset == record.offset ? &at.tried.so_far : nullptr,
              .seen = memories_.used() && !letter_ ? memories_.of(*at.from, at.now) : nullptr,
              .again = letter_ ? &visit : nullptr,
              .kept = kept_by(at),
              .parked = parks ? &at.parked : nullptr,
              .parks = parks ? &parks_ : nullptr,
              .omitted = looks_back ? nullptr : &omitted_};
  times_.assign(memories_.specs().size(), -1);
  if (letter_) return push_letter(at, through, how);
  for (const auto& entry : at.from->entries) {
    const auto blamed = through.push(entry, *read_, how);
    how.has_come = true;
    // What is looked back at got through once, or will have to by its own lane.
    if (blamed && (!looks_back || blamed->is_unanswered)) return blamed;
    for (std::size_t i = 0; i < times_.size(); ++i)
      if (memories_.concern(i, entry.source)) times_[i] = std::max(times_[i], through.time());
  }
  say_omissions(at);
  return std::nullopt;
}

keyed_state* const* intake::kept_by(const feed& at) {
  kept_.assign(topology_.processes().size(), nullptr);
  for (const auto* rider : at.riders)
    if (rider->kept) kept_[*rider->of->to->process()] = &rider->kept->state;
  return kept_.data();
}

std::optional<blame> intake::push_letter(feed& at, graph& through, const transit& how) {
  const auto& entries = at.from->entries;
  const std::string node{letter_->node};
  const auto entry = std::find_if(entries.begin(), entries.end(),
                                  [&](const auto& each) { return leads_to(topology_, each.source, node); });
  if (entry == entries.end())
    return blame{node,
                 "a letter of " + to_string(at.from->read_as()) + ", and nothing leads from there to it any more"};
  if (auto blamed = through.push(*entry, *read_, how)) return blamed;
  if (!how.again->came && emissions_.empty())
    omitted_.push_back({node, "what was parked does not come to it any more", false});
  say_omissions(at);
  return std::nullopt;
}

void intake::say_omissions(const feed& at) {
  for (const auto& each : omitted_)
    omissions_.say(each.node, each.is_kept, at.from->read_as(), read_->offset, each.reason);
}

void intake::move(feed& at, std::int64_t to, const fetched_record* past) {
  if (memories_.used() && !at.letters) {
    memories_.cover(*at.from, at.next, to);
    const auto& specs = memories_.specs();
    for (std::size_t i = 0; past && i < at.now.size(); ++i) at.now[i].see(times_[i], specs[i].window);
  }
  at.next = to;
  if (past) at.latest = past;
}

bool intake::make_calls(feed& at, const due_calls& which) {
  const auto id = at.from->id;
  const auto rider = std::ranges::find_if(
      at.riders, [&](const auto* each) { return each->kept && each->of->to->process() == which.process; });
  auto& calling = **rider;
  auto& to = *calling.of->to;
  // The record comes again to all that it has come to.
  for (auto* each : at.riders)
    if (each->kept) each->kept->state.forget();
  const bool all = to.make_calls(calling, which.stream_time);
  // Behind the call that was as much as there is room for the record would be one too many.
  if (find(id) != &at || is_blocked(at)) return false;
  if (all || !calling.on) return true;
  blocked_by_ = &to;
  waits_ = true;
  return false;
}

intake::step intake::deliver(feed& at, const fetched_record& record) {
  auto blamed = push(at, record);
  for (; blamed && blamed->first; blamed = push(at, record))
    if (!make_calls(at, *blamed->first)) return find(record.source) == &at ? step::blocked : step::taken;
  if (blamed) {
    if (blamed->again) {
      hold(at, record, *blamed);
    } else {
      if (!at.letters) operators_.done_with(record, *at.from);
      halt(at, blamed->node + ": " + blamed->reason + std::string{remedy});
    }
    return step::taken;
  }
  if (at.active != 0 && !at.letters) operators_.done_with(record, *at.from);

  // Every route first: who lacks one reads this record again when its target has found out.
  while (auto* lacking = address(at, record)) {
    const bool last = at.riders.size() == 1;
    interrupt(*lacking);
    if (last) return step::taken;
  }

  const auto riders = at.riders.size();
  struct stop {
    course* who;
    std::string reason;
    const route* by = nullptr;
  };
  std::vector<stop> halted;
  std::vector<std::pair<course*, std::string_view>> parting;
  for (std::size_t i = 0; i < riders; ++i) {
    auto& to = *at.riders[i]->of->to;
    const auto parcel_of = [&](std::size_t n) -> const parcel& { return parcels_[n * riders + i]; };
    std::size_t fatal = 0;
    while (fatal < emissions_.size() && !parcel_of(fatal).halts) ++fatal;
    if (fatal < emissions_.size()) {
      const auto& one = parcel_of(fatal);
      halted.push_back({at.riders[i], sinks_[emissions_[fatal].sink].name + ": " + one.refused, one.to});
      continue;
    }
    const auto nodes = is_set_aside_ ? parks_of(at, i) : std::vector<std::string_view>{};
    if (auto why = is_set_aside_ ? make_room(at, i, nodes.size()) : std::string{}; !why.empty()) {
      halted.push_back({at.riders[i], std::move(why)});
      continue;
    }
    for (const auto node : nodes) to.parked(*at.riders[i], node, read_->offset);
    // What a process makes of a record is written as a whole, or the record is passed over.
    auto* kept = at.riders[i]->kept;
    std::size_t lacking = 0;
    while (kept && lacking < emissions_.size() && parcel_of(lacking).refused.empty()) ++lacking;
    const bool is_whole = !kept || lacking == emissions_.size();
    if (!is_whole) kept->state.pass_over();
    for (std::size_t n = 0; n < emissions_.size(); ++n) {
      const auto& one = parcel_of(n);
      if (!one.refused.empty() && (is_whole || n == lacking))
        to.passed_over(emissions_[n].sink, *at.from, record.offset, one.refused);
      if (one.what && is_whole) to.append(*one.to, *one.what, *at.riders[i], record, held_);
      if (one.parks) parting.emplace_back(at.riders[i], sinks_[emissions_[n].sink].name);
    }
    at.riders[i]->dirty = true;
    if (kept && is_whole) kept->state.keep();
  }
  for (const auto& [rider, reason, by] : halted) {
    if (by) rider->refused_by = *by;
    halt(*rider, reason);
  }
  if (find(record.source) != &at) return step::taken;
  move(at, record.offset + 1, &record);
  for (const auto node : parks_) at.parked.park(node, read_->key.view(), read_->offset);
  // What its cluster alone refuses parks the key for nobody else.
  for (const auto& [rider, node] : parting) {
    if (rider->on) leave(*rider);
    rider->parked.keys.park(node, read_->key.view(), read_->offset);
  }
  return step::taken;
}

course* intake::address(const feed& at, const fetched_record& record) {
  parcels_.clear();
  letters_.clear();
  is_set_aside_ = false;
  for (const auto& what : emissions_)
    for (std::size_t i = 0; i < at.riders.size(); ++i) {
      // Of one record too, what follows is behind.
      bool follows = false;
      for (auto n = i; is_set_aside_ && n < parcels_.size(); n += at.riders.size())
        follows = follows || (parcels_[n].parks && emissions_[n / at.riders.size()].sink == what.sink);
      auto& one = parcels_.emplace_back();
      if (follows) one.refused = follows_its_key, one.parks = true;
      if (!address(one, *at.riders[i], what, record)) return at.riders[i];
      is_set_aside_ = is_set_aside_ || (one.what && takes_parked(one.what->sink));
    }
  return nullptr;
}

bool intake::address(parcel& one, course& rider, const emission& what, const fetched_record& record) {
  auto& to = *rider.of->to;
  if (!(to.sinks() >> what.sink & 1)) return true;
  one.to = find_route(to, *rider.from, what);
  if (!one.to) return false;
  one.what = &what;
  const bool follows = !one.refused.empty();
  if (!follows) one.refused = refusal_of(*one.to, what, wall_clock_);
  const auto* known = to.refused({rider.from, record.offset});
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
    case policy::kind::park_key:
      one.parks = !read_->key.is_null();
      [[fallthrough]];
    case policy::kind::dead_letter:
      one.what = &letter_for(what, *rider.from, follows ? letter_reason::parked : letter_reason::refused, one.refused);
      one.to = find_route(to, *rider.from, *one.what);
      if (!one.to) return false;
      if (auto why = refusal_of(*one.to, *one.what, wall_clock_); !why.empty()) {
        one.refused = "its dead letter: " + why;
        one.halts = true;
      }
      one.halts = one.halts || (known && known->twice);
      return true;
  }
  return true;
}

const emission& intake::letter_for(const emission& what, const source& from, letter_reason reason,
                                   const std::string& why) {
  const auto tries = reason == letter_reason::parked ? 0 : 1;
  const auto before = letter_ ? letter_->attempts : 0;
  return letters_.emplace_back(topology_.letter_for(from.entries.front(), *read_,
                                                    {.sink = what.sink,
                                                     .number = what.number,
                                                     .reason = reason,
                                                     .why = why,
                                                     .attempts = before + tries,
                                                     .time = wall_clock_},
                                                    held_->written));
}

std::optional<letter> intake::letter_in(const feed& at, const fetched_record& record) const {
  const auto what = read_letter(record.headers);
  if (!what) return std::nullopt;
  const auto& own = at.from->entries.front();
  const auto first = at.letters->keys.find(what->node, record.key);
  const bool is_own = what->from.cluster == own.cluster && what->from.topic == own.topic &&
                      what->from.partition == own.partition && topology_.parks(*what) && first &&
                      what->from.offset >= *first;
  return is_own ? what : std::nullopt;
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
  if (at.tried.offset != record.offset) at.tried = {record.offset, {}};
  at.tried.so_far.add(why, wall_clock_);
  const auto riders = at.riders;
  for (auto* rider : riders) {
    leave(*rider);
    rider->of->to->hold(*rider, why);
  }
}

void intake::fail(feed& at, const failure& why) {
  const bool may_work_again =
      heals(why.kind) || why.kind == failure_kind::out_of_range || why.kind == failure_kind::missing;
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
