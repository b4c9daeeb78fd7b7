#include <algorithm>
#include <limits>

#include "writing.hpp"

/// What only the lanes of a process have: what it keeps, which lies in the changelog, and the times at which it wants
/// to be called. Changes are outputs like any others, in the transaction that holds the position.
namespace flow::engine {
namespace {

using namespace std::chrono_literals;
using kind = port::offset_query::kind;
using port::isolation;

constexpr port::milliseconds patience = 1s, longest_patience = 8s, piece_limit = 30s;
// Offsets that are read at once.
constexpr std::int64_t piece = 20'000;
// Milliseconds. The clock of the machine may be set.
constexpr std::int64_t longest_sleep = 1'000;

}  // namespace

// As far as the changelog is decided. Whoever wrote there before may have left a transaction open that holds no
// position yet, and what was committed since lies behind it.
task<result<void>> writing::restore(const std::vector<lane*>& lanes) {
  using offsets = std::vector<std::int64_t>;
  if (!at_.process) co_return result<void>{};
  std::vector<topic_partition> where;
  for (const auto* each : lanes) where.push_back({outputs_.changelog(), each->number});
  const auto ask = [&](kind which) {
    return answer<offsets>(
        at_.loop, [this, where, which](auto done) { at_.cluster.find_offsets(where, {which}, std::move(done)); });
  };
  offsets behind;
  for (auto limit = patience; behind.empty(); limit = std::min(2 * limit, longest_patience)) {
    if (closing()) co_return fail(failure_kind::retriable, "taking over lanes on " + at_.name + " was broken off");
    auto all = co_await ask(kind::high_watermark);
    if (!all) co_return tl::unexpected{all.error()};
    auto decided = co_await ask(kind::last_stable);
    if (!decided) co_return tl::unexpected{decided.error()};
    std::vector<lane*> held_up;
    for (std::size_t i = 0; i < lanes.size(); ++i)
      if ((*decided)[i] < (*all)[i]) held_up.push_back(lanes[i]);
    if (held_up.empty())
      behind = std::move(*all);
    else
      co_await evict(std::move(held_up), limit);
  }
  auto first = co_await ask(kind::earliest);
  if (!first) co_return tl::unexpected{first.error()};
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    lanes[i]->kept.clear();
    for (auto from = (*first)[i]; from < behind[i]; from += piece) {
      const auto to = std::min(from + piece, behind[i]);
      auto read = co_await answer<port::range_read>(at_.loop, [&](auto done) {
        at_.cluster.read_range(where[i], from, to, isolation::read_committed, piece_limit, std::move(done));
      });
      if (!read) co_return tl::unexpected{read.error()};
      for (const auto& record : read->records)
        if (auto known = restore(*lanes[i], record); !known) co_return known;
    }
  }
  co_return result<void>{};
}

result<void> writing::restore(lane& into, const port::kept_record& record) {
  if (!record.key) return {};
  const auto key = read_changelog_key(*record.key);
  if (!key) return tl::unexpected{key.error()};
  kept_of_key kept;
  if (record.value) {
    auto found = decode_kept_of_key(*record.value);
    if (!found) return tl::unexpected{found.error()};
    kept = std::move(*found);
  }
  auto& to = kept_in(into, key->partition);
  to.put(key->key, std::move(kept));
  to.keep();
  return {};
}

// Several source partitions may be of one number.
result<void> writing::go_on_keeping(keyed_state& of, const source_position& at) const {
  if (!at.process) return {};
  if (at.process->keys > 0 && of.count() == 0 && !at_.options.fresh)
    return fail(failure_kind::refused,
                "what the process keeps of " + std::to_string(at.process->keys) + " keys is gone from " +
                    outputs_.changelog() + " on " + at_.name,
                "restore that topic; or, to begin with nothing kept, start once with --fresh");
  if (at.process->clock.time >= of.clock().time) of.set(at.process->clock);
  return {};
}

keyed_state& writing::kept_in(lane& of, std::int32_t partition) const {
  auto& known = of.kept[partition];
  if (!known) known = std::make_unique<keyed_state>(partition, of.number);
  return *known;
}

bool writing::may_wake(const course& who) const {
  return who.of->taken && who.kept && !who.interrupted && who.halted.empty() && at_.loop.now() >= who.held_until;
}

time_point writing::next_wake() const {
  if (used_up()) return by_.allowance().next();
  auto first = kept_of_key::never;
  for (const auto* each : lanes_)
    for (const auto& course : each->courses)
      if (may_wake(*course)) first = std::min(first, course->kept->next_wall_clock());
  if (first == kept_of_key::never) return time_point::max();
  const auto now = at_.wall_clock();
  return at_.loop.now() + port::milliseconds{std::clamp<std::int64_t>(first - now, 0, longest_sleep)};
}

void writing::wake_those_due() {
  if (!at_.process) return;
  for (auto* each : lanes_)
    for (const auto& course : each->courses)
      while (!full() && may_wake(*course) && course->kept->due_by(at_.wall_clock())) wake(*course);
}

// One call: all that it writes is appended, with the place at which its partition stands, or nothing is.
void writing::wake(course& who) {
  const auto by = std::make_shared<held>();
  std::vector<emission> made;
  std::vector<omission> omitted;
  std::vector<keyed_state*> kept(at_.topology.processes().size());
  kept[*at_.process] = who.kept;
  const trial before = std::exchange(who.woken, {});
  const transit how{.active = at_.sinks,
                    .written = by->written,
                    .out = made,
                    .wall_clock = at_.wall_clock(),
                    .before = before.offset >= 0 ? &before.so_far : nullptr,
                    .kept = kept.data(),
                    .omitted = &omitted};
  if (const auto blamed = at_.reading.wake(*at_.process, *who.from, how)) {
    who.kept->forget();
    who.woken = before.offset >= 0 ? before : trial{next_of(who), {blamed->node, 0, {}}, how.wall_clock};
    ++who.woken.so_far.failed;
    who.woken.so_far.since = port::milliseconds{how.wall_clock - who.woken.first};
    if (who.on) at_.reading.leave(who);
    if (blamed->again && who.woken.so_far.failed == 1)
      at_.log(severity::warn, at_.name + ": " + to_string(who.from->where) + " waits at offset " +
                                  std::to_string(who.next) + " and calls again: " + blamed->node + ": " + blamed->reason);
    if (blamed->again)
      who.held_until = at_.loop.now() + *blamed->again;
    else
      halt(who, blamed->node + ": " + blamed->reason);
    return;
  }
  fetched_record before_it{};
  before_it.offset = next_of(who) - 1;
  std::vector<const route*> where;
  for (const auto& each : made) {
    const auto& sink = at_.topology.sinks()[each.sink];
    const auto* to = outputs_.routes().find(each.sink, *who.from, each);
    const auto why = to ? refusal_of(*to, each, how.wall_clock) : std::string{};
    const bool is_skipped = !why.empty() && sink.on_failure.what() == policy::kind::skip;
    where.push_back(is_skipped ? nullptr : to);
    if (is_skipped) omitted.push_back({sink.name, why, false});
    if (to && (why.empty() || is_skipped)) continue;
    who.kept->forget();
    if (who.on) at_.reading.leave(who);
    if (to) return halt(who, sink.name + ": " + why);
    who.interrupted = true;
    return resolve(each.sink, each.topic.str());
  }
  for (std::size_t i = 0; i < made.size(); ++i) {
    if (!where[i]) continue;
    by->size += size_of(made[i].key, made[i].value, made[i].headers);
    append(*where[i], made[i], who, before_it, by);
  }
  for (const auto& each : omitted)
    by_.omissions().say(each.node, each.is_kept, who.from->read_as(), before_it.offset, each.reason);
  who.kept->keep();
  who.moved_without_reading = true;
}

}  // namespace flow::engine
