#include <algorithm>
#include <array>
#include <string_view>

#include "digest.hpp"
#include "slice.hpp"
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
constexpr std::string_view a_call = "a call before ";
const std::string not_even = "not even that the call is passed over can be written: ";
constexpr std::string_view remedy = " (mend why it fails, or let the policy of that node skip such calls)";

// What is called again after all has been taken back is the same.
std::uint64_t number_of(const keyed_state::alarm& due) {
  const auto time = std::to_string(due.time);
  const auto* which = due.which == &kept_of_key::stream_time ? "stream" : "wall";
  const std::array parts{bytes{std::string_view{which}}, bytes{time}, due.key_bytes()};
  return digest_of(parts) | 1;
}

// The wall has calls while the stream waits for one of its own.
failed_call& last_failed(kept_partition& kept, const keyed_state::alarm& due) {
  return due.which == &kept_of_key::stream_time ? kept.in_stream : kept.on_wall;
}

failed_call* failures_of(kept_partition& kept, const keyed_state::alarm& due) {
  auto& known = last_failed(kept, due);
  return known.number == number_of(due) ? &known : nullptr;
}

}  // namespace

// As far as the changelog is decided. Whoever wrote there before may have left a transaction open that holds no
// position yet, and what was committed since lies behind it.
task<result<void>> writing::restore(std::vector<lane*>& lanes) {
  using offsets = std::vector<std::int64_t>;
  if (!at_.process) co_return result<void>{};
  const auto find = [&](kind which) {
    std::vector<topic_partition> where;
    for (const auto* each : lanes) where.push_back({outputs_.changelog(), each->number});
    return answer<offsets>(at_.loop, [this, where, which](auto done) {
      at_.cluster.find_offsets(where, {which}, std::move(done));
    });
  };
  for (auto limit = patience; !closing(); limit = std::min(2 * limit, longest_patience)) {
    if (lanes.empty()) co_return result<void>{};
    auto first = co_await find(kind::earliest);
    if (!first) {
      const auto asked = lanes.size();
      auto others = co_await leave_out_those_that_cannot_be_asked(lanes, outputs_.changelog());
      if (!others) co_return others;
      if (lanes.size() == asked) co_return tl::unexpected{first.error()};
      continue;
    }
    auto behind = co_await find(kind::high_watermark);
    if (!behind) co_return tl::unexpected{behind.error()};
    auto decided = co_await find(kind::last_stable);
    if (!decided) co_return tl::unexpected{decided.error()};
    std::vector<lane*> held_up;
    for (std::size_t i = 0; i < lanes.size(); ++i)
      if ((*decided)[i] < (*behind)[i]) held_up.push_back(lanes[i]);
    if (!held_up.empty()) {
      co_await evict(std::move(held_up), limit);
      continue;
    }
    for (std::size_t i = 0; i < lanes.size(); ++i)
      if (auto read = co_await restore(*lanes[i], (*first)[i], (*behind)[i]); !read) co_return read;
    co_return result<void>{};
  }
  co_return fail(failure_kind::retriable, "taking over lanes on " + at_.name + " was broken off");
}

task<result<void>> writing::restore(lane& into, std::int64_t first, std::int64_t behind) {
  const topic_partition where{outputs_.changelog(), into.number};
  into.kept.clear();
  for (auto from = first; from < behind; from += piece) {
    const auto to = std::min(from + piece, behind);
    auto read = co_await answer<port::range_read>(at_.loop, [&](auto done) {
      at_.cluster.read_range(where, from, to, isolation::read_committed, piece_limit, std::move(done));
    });
    if (!read) co_return tl::unexpected{read.error()};
    for (const auto& record : read->records)
      if (auto known = restore(into, record); !known) {
        known.error().text = "offset " + std::to_string(record.offset) + " of " + to_string(where) + " on " + at_.name +
                             ": " + known.error().text;
        co_return known;
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
  auto& to = kept_in(into, key->partition).state;
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

kept_partition& writing::kept_in(lane& of, std::int32_t partition) const {
  return of.kept.try_emplace(partition, partition, of.number).first->second;
}

bool writing::may_call(const course& who) const {
  return who.of->taken && who.kept && !who.interrupted && who.halted.empty() &&
         at_.loop.now() >= who.kept->held_until;
}

time_point writing::next_call() const {
  auto next = time_point::max();
  if (!at_.process) return next;
  if (used_up()) return by_.allowance().next();
  if (full()) return next;
  for (const auto* each : lanes_)
    for (const auto& course : each->courses) {
      if (course->kept && course->kept->held_until > at_.loop.now()) next = std::min(next, course->kept->held_until);
      if (!may_call(*course)) continue;
      if (course->kept->state.is_due_in_stream()) return at_.loop.now();
      const auto wanted = course->kept->state.next_wall_clock();
      if (wanted == kept_of_key::never) continue;
      const auto wait = std::clamp<std::int64_t>(wanted - at_.wall_clock(), 0, longest_sleep);
      next = std::min(next, at_.loop.now() + port::milliseconds{wait});
    }
  return next;
}

// Those that no record brings. What is read may fill every transaction by itself, so while they wait for room nothing is.
void writing::make_calls() {
  if (!at_.process) return;
  const auto now = at_.wall_clock();
  std::vector<course*> callers;
  for (auto* each : lanes_)
    for (const auto& course : each->courses)
      if (may_call(*course) && course->kept->state.due(course->kept->state.clock().now(), now))
        callers.push_back(course.get());
  calls_wait_ = !callers.empty() && outbox_full();
  if (callers.empty() || calls_wait_) return;
  // In one slice, in which the next time those have their turn that had none.
  std::ranges::rotate(callers, callers.begin() + static_cast<std::ptrdiff_t>(callers_ % callers.size()));
  slice time{at_.wall_clock};
  for (auto* each : callers) {
    if (!make_calls(*each, each->kept->state.clock().now(), now, time) && time.is_over()) return;
    ++callers_;
  }
}

// By the clock on the wall there may always be one more, and the record has its turn.
bool writing::make_calls(course& at, std::int64_t stream_time) {
  slice time{at_.wall_clock};
  return make_calls(at, stream_time, std::numeric_limits<std::int64_t>::min(), time);
}

bool writing::make_calls(course& at, std::int64_t stream_time, std::int64_t wall_clock, slice& time) {
  while (may_call(at)) {
    const auto due = at.kept->state.due(stream_time, wall_clock);
    if (!due) return true;
    if (used_up() || outbox_full() || time.is_over()) return false;
    if (call(at, *due)) continue;
    // Of what has failed nothing is kept.
    if (outbox_.empty()) outbox_.drop();
    return false;
  }
  if (at.on) at_.reading.leave(at);
  return false;
}

// A unit as a record is one: all that it makes is appended, with the place at which its partition stands, or nothing is.
bool writing::call(course& at, const keyed_state::alarm& due) {
  const source_record is{at.from, next_of(at), number_of(due)};
  const auto& node = at_.topology.processes()[*at_.process].name;
  const auto* known = refused(is);
  if (known && known->twice) return call_failed(at, due, {node, not_even + known->why}), false;
  made_call made;
  if (!make(at, due, known ? &known->why : nullptr, made)) return false;
  if (const auto why = made.refused; !why.empty()) {
    at.kept->state.forget();
    made = {};
    if (!make(at, due, &why, made)) return false;
    if (!made.refused.empty()) return call_failed(at, due, {node, not_even + made.refused}), false;
  }
  for (std::size_t i = 0; i < made.all.size(); ++i) enqueue(*made.where[i], made.all[i], is, outbox_.own());
  for (const auto& each : made.omitted)
    by_.omissions().say(each.node, each.is_kept, at.from->read_as(), is.offset, each.reason, a_call);
  at.kept->state.keep();
  if (auto* known = failures_of(*at.kept, due)) *known = {};
  at.of->has_called = true;
  return true;
}

bool writing::make(course& at, const keyed_state::alarm& due, const std::string* refused, made_call& into) {
  auto& kept = *at.kept;
  const auto now = at_.wall_clock();
  const auto* before = failures_of(kept, due);
  std::vector<keyed_state*> states(at_.topology.processes().size());
  states[*at_.process] = &kept.state;
  const transit how{.active = at_.sinks,
                    .written = outbox_.own()->written,
                    .out = into.all,
                    .wall_clock = now,
                    .before = before ? &before->so_far : nullptr,
                    .kept = states.data(),
                    .refused = refused,
                    .omitted = &into.omitted};
  if (const auto blamed = at_.reading.call(*at_.process, *at.from, due, how)) return call_failed(at, due, *blamed), false;
  for (const auto& each : into.all) {
    const auto* to = find_route(*this, *at.from, each);
    if (!to) {
      kept.state.forget();
      if (at.on) at_.reading.leave(at);
      at.interrupted = true;
      return false;
    }
    if (into.refused.empty())
      if (const auto why = refusal_of(*to, each, now); !why.empty())
        into.refused = at_.topology.sinks()[each.sink].name + ": " + why;
    into.where.push_back(to);
  }
  return true;
}

// All that is kept of that partition number waits for it, whatever topics its records come from.
void writing::call_failed(course& at, const keyed_state::alarm& due, const blame& why) {
  auto& kept = *at.kept;
  const auto reason = why.node + ": " + why.reason;
  kept.state.forget();
  auto& failed = last_failed(kept, due);
  if (!failures_of(kept, due)) failed = {number_of(due), {}};
  failed.so_far.add(why, at_.wall_clock());
  if (failed.so_far.is_first() && why.again)
    at_.log(severity::warn, at_.name + ": " + to_string(at.from->where) + " waits at offset " +
                                std::to_string(next_of(at)) + " and calls again: " + reason);
  if (why.again) kept.held_until = at_.loop.now() + *why.again;
  for (const auto& each : at.of->courses) {
    if (each->kept != &kept) continue;
    if (each->on) at_.reading.leave(*each);
    if (!why.again && each->halted.empty()) halt(*each, std::string{a_call} + "it: " + reason + std::string{remedy});
  }
}

}  // namespace flow::engine
