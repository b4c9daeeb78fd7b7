#include "side_by_side.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <limits>
#include <set>
#include <span>

#include "engine/digest.hpp"
#include "engine/routes.hpp"

#include <flow/dead_letter.hpp>
#include <flow/spelling.hpp>

namespace flow {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto longest_silence = 30s;
constexpr auto look_again = 200ms;
constexpr std::size_t records_at_once = 1000;
// Records that wait for the other side: of all partitions together about, and of each.
constexpr std::size_t most_waiting = 1u << 20;
constexpr std::size_t least_of_each = 1u << 12, most_of_each = 1u << 16;

constexpr auto never = std::numeric_limits<std::int64_t>::max();

engine::digest digest_of_letter(bytes key, bytes value, std::int64_t timestamp, std::span<const header> headers,
                                const letter& what) {
  arena room;
  auto made = engine::digest_of(key, value, timestamp, without_letter(headers, room));
  const auto offset = std::to_string(what.from.offset), number = std::to_string(what.number);
  const std::array<bytes, 5> origin{bytes{what.node}, to_string(what.reason), bytes{what.from.topic}, bytes{offset},
                                    bytes{number}};
  made.headers ^= engine::digest_of(origin);
  return made;
}

}  // namespace

port::reader& readers::at(const std::string& cluster, bool of_sources) {
  auto& opened = opened_[{cluster, of_sources}];
  if (!opened) opened = by_.at(cluster).open_reader();
  return *opened;
}

side_by_side::side_by_side(const survey& known, const std::vector<std::size_t>& sources, readers& by)
    : known_{known}, by_{by} {
  for (const auto source : sources) places_[source] = places_.size();
  for (const auto& each : known_.outputs)
    if (places_.contains(each.sources.front())) add_output(each);
  for (const auto source : sources) add_source(known_.sources[source]);
  most_waiting_ = std::clamp(most_waiting / compared_.size(), least_of_each, most_of_each);
  settle();
}

side_by_side::~side_by_side() {
  for (auto& each : streams_)
    if (!each.ended && !each.held) each.reader->unassign(each.id);
}

result<void> side_by_side::run(std::stop_token stop) {
  auto limit = clock::now() + longest_silence;
  while (!is_over()) {
    if (stop.stop_requested())
      return fail(failure_kind::retriable, "the verification was broken off", "start it again");
    by_.box().open_all();
    const bool moved = poll();
    if (failed_) return tl::unexpected{*failed_};
    const auto now = clock::now();
    if (moved) limit = now + longest_silence;
    if (now >= limit) return tl::unexpected{silence()};
    if (!moved) by_.box().wait_until(now + look_again);
  }
  return {};
}

void side_by_side::tell(const std::function<void(const verified_partition&)>& see) const {
  for (const auto& each : compared_) {
    auto made = each.with.verdict();
    made.cluster = each.is->cluster;
    made.where = each.is->where;
    for (const auto source : each.is->sources)
      if (auto stop = stop_of(made.cluster, source)) made.stopped.push_back(*std::move(stop));
    see(made);
  }
}

std::optional<halted_partition> side_by_side::stop_of(const std::string& cluster, std::size_t source) const {
  const auto& from = known_.sources[source];
  if (auto lost = known_.lost(cluster, from)) return lost;
  const auto& stop = readings_[places_.at(source)].stop;
  const auto* place = known_.place(cluster, from.where);
  // It may have been another topology then.
  const bool has_passed = stop && place && place->next > stop->offset;
  return has_passed ? std::nullopt : stop;
}

bool side_by_side::is_over() const {
  return std::ranges::all_of(streams_, &stream::ended);
}

void side_by_side::add_output(const output& what) {
  std::vector<engine::wanted_source> from;
  for (const auto source : what.sources) {
    const auto& at_home = known_.sources[source];
    from.push_back({at_home.where, at_home.first > known_.begin_of(what.cluster, at_home)});
  }
  const auto number = compared_.size();
  compared_.push_back({&what, {std::move(from), {.begins_late = what.first > 0, .by_key = what.is_compacted}}});
  compared_at_[{what.cluster, what.where}] = number;
  if (what.first < what.end) {
    open(what.cluster, what.where, what.first, what.end, number, false);
  } else {
    compared_.back().with.found_all();
  }
}

void side_by_side::add_source(const source_at_home& what) {
  auto begin = never;
  std::uint64_t sinks = 0;
  for (std::size_t sink = 0; sink < known_.written.size(); ++sink) {
    if (!engine::lead_to(known_.what->sinks()[sink], what.entries)) continue;
    for (const auto& cluster : known_.written[sink]) {
      begin = std::min(begin, known_.begin_of(cluster, what));
      sinks |= std::uint64_t{1} << sink;
    }
  }
  begin = std::max(begin, what.first);
  const auto number = readings_.size();
  readings_.push_back({&what, std::make_unique<passage_of_source>(*known_.what, what, sinks)});
  open(known_.names.home, what.where, begin, what.end, number, true);
  if (begin >= what.end) end(streams_.back());
}

void side_by_side::open(const std::string& cluster, const topic_partition& where, std::int64_t first,
                        std::int64_t until, std::size_t number, bool is_source) {
  auto& reader = by_.at(cluster, is_source);
  const auto id = static_cast<source_id>(streams_.size());
  streams_.push_back({cluster, where, &reader, id, first, until, number, is_source});
  if (first < until) reader.assign(id, where, first);
}

void side_by_side::end(stream& which) {
  which.ended = true;
  which.reader->unassign(which.id);
  if (!which.is_source) return compared_[which.number].with.found_all();
  for (auto& each : compared_)
    for (std::size_t i = 0; i < each.is->sources.size(); ++i)
      if (places_.at(each.is->sources[i]) == which.number) each.with.source_ended(i);
}

void side_by_side::settle() {
  for (auto& each : compared_) each.with.settle();
}

// Unless a record may be anywhere among theirs, they do not run away from what is found.
bool side_by_side::are_sources_wanted() const {
  const auto looks_far = [](const compared& each) { return each.with.looks_far() && each.with.found() > 0; };
  return std::ranges::any_of(compared_, looks_far) ||
         std::ranges::all_of(compared_, [&](const compared& each) { return each.with.wanted() < most_waiting_; });
}

std::vector<const side_by_side::stream*> side_by_side::read_now() const {
  const bool sources = are_sources_wanted();
  std::vector<const stream*> all;
  for (const auto& each : streams_)
    if (!each.ended && (each.is_source ? sources : !each.held)) all.push_back(&each);
  return all;
}

// Each for itself: what the sources wait for may lie behind it on the same cluster, or on one that is further away.
void side_by_side::hold_what_runs_ahead() {
  for (auto& each : streams_) {
    if (each.is_source || each.ended) continue;
    const auto found = compared_[each.number].with.found();
    if (!each.held && found >= most_waiting_)
      each.held = true, each.reader->unassign(each.id);
    else if (each.held && found < most_waiting_ / 2)
      each.held = false, each.reader->assign(each.id, each.where, each.next);
  }
}

bool side_by_side::poll() {
  bool moved = false;
  std::set<std::pair<bool, port::reader*>> open;
  for (const auto* each : read_now()) open.emplace(each->is_source, each->reader);
  for (const auto& [of_sources, reader] : open) {
    fetched batch;
    if (!reader->poll(batch, records_at_once)) continue;
    moved = true;
    for (const auto& record : batch.records) take(streams_[record.source], record);
    for (const auto& each : batch.ends)
      if (auto& of = streams_[each.source]; !of.ended && each.next >= of.until) end(of);
    for (const auto& each : batch.failures)
      if (!streams_[each.source].ended) failed_ = each.why;
    settle();
    hold_what_runs_ahead();
  }
  return moved;
}

void side_by_side::take(stream& from, const fetched_record& record) {
  if (from.ended) return;
  if (record.offset >= from.until) return end(from);
  from.next = record.offset + 1;
  from.is_source ? take_source(from.number, record) : take_output(compared_[from.number], record);
}

void side_by_side::take_source(std::size_t number, const fetched_record& record) {
  auto& from = readings_[number];
  const auto made = from.through->push(record);
  if (!made) {
    if (!from.stop) from.stop = {from.is->where, record.offset, made.error()};
    return;
  }
  for (const auto& each : *made)
    for (const auto& cluster : known_.written[each.sink]) expect(number, cluster, each, record);
}

void side_by_side::expect(std::size_t number, const std::string& cluster, const emission& what,
                          const fetched_record& record) {
  const auto& from = *readings_[number].is;
  const auto begin = known_.begin_of(cluster, from);
  if (record.offset < begin) return;
  const auto& sink = known_.what->sinks()[what.sink];
  const auto topic = engine::topic_of(sink, known_.names, from.where.topic);
  const engine::route to{.name = {}, .partitions = known_.partitions_of(cluster, topic, from)};
  const auto at = compared_at_.find({cluster, {topic, engine::partition_of(to, what)}});
  if (at == compared_at_.end()) return;
  auto& [is, with] = compared_[at->second];

  const auto letter = sink.takes_letters ? read_letter(what.headers) : std::nullopt;
  if (letter && !known_.foresees(*letter)) return;
  auto digest = letter ? digest_of_letter(what.key, what.value, what.timestamp, what.headers, *letter)
                       : engine::digest_of(what.key, what.value, what.timestamp, what.headers);
  if (is->stamps) digest.timestamp = 0;
  const auto lies_in = [&](const auto& letters) {
    const auto of = letters.find(from.where);
    return of != letters.end() && of->second.contains(record.offset);
  };
  if (!letter && (lies_in(known_.failed) || lies_in(known_.clusters.at(cluster).letters)))
    return with.set_aside(digest);
  if (from.first > begin && readings_[number].through->is_uncertain()) return;
  const auto* place = known_.place(cluster, from.where);
  const auto source = static_cast<std::size_t>(&from - known_.sources.data());
  const auto order = static_cast<std::size_t>(std::ranges::find(is->sources, source) - is->sources.begin());
  with.expect(order, {.what = digest,
                      .offset = record.offset,
                      .is_due = place && record.offset < place->next,
                      .is_null = what.value.is_null()});
}

void side_by_side::take_output(compared& into, const fetched_record& record) {
  const auto letter = into.is->takes_letters ? read_letter(record.headers) : std::nullopt;
  const auto is_one_of_them = [&] {
    return letter && known_.foresees(*letter) && std::ranges::any_of(into.is->sources, [&](auto source) {
             const auto& where = known_.sources[source].where;
             return where.topic == letter->from.topic && where.partition == letter->from.partition;
           });
  };
  if (into.is->takes_letters && !is_one_of_them()) return;
  auto digest = letter ? digest_of_letter(record.key, record.value, record.timestamp, record.headers, *letter)
                       : engine::digest_of(record.key, record.value, record.timestamp, record.headers);
  if (into.is->stamps) digest.timestamp = 0;
  into.with.find({.what = digest,
                  .offset = record.offset,
                  .is_repetition = letter && letter->attempts > 1,
                  .is_null = record.value.is_null()});
}

failure side_by_side::silence() const {
  std::set<std::string> names;
  for (const auto* each : read_now()) names.insert(each->cluster);
  return {failure_kind::timed_out,
          "nothing has come from " + spelling::either({names.begin(), names.end()}) + " for half a minute",
          "see whether it can be reached, and try again"};
}

}  // namespace flow
