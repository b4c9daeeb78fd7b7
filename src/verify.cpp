#include <flow/verify.hpp>

#include <algorithm>
#include <array>
#include <limits>
#include <numeric>
#include <set>

#include <flow/replay.hpp>
#include <flow/topic_selection.hpp>
#include <flow/topology.hpp>

#include "engine/comparison.hpp"
#include "engine/routes.hpp"
#include "inquiry.hpp"
#include "log.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;

constexpr auto patience = 15s;
constexpr auto longest_silence = 30s;
constexpr auto look_again = 200ms;
constexpr std::size_t records_at_once = 1000;
// Records of one side that wait for the other.
constexpr std::size_t most_waiting = 1u << 16;
// So often a record is tried that fails, whatever its policy says.
constexpr int most_tries = 100;
// After so many records it is forgotten what a dedup need not know any more.
constexpr std::uint64_t forget_every = 4096;

constexpr auto never = std::numeric_limits<std::int64_t>::max();

/// A topic as it is there: how many partitions, and what says how its records may differ.
struct described {
  std::int32_t partitions = 0;
  bool is_compacted = false;
  bool stamps = false;  // its records have timestamps of its own
};

bool says(const port::topic_description& topic, const std::string& setting, std::string_view word) {
  const auto at = topic.settings.find(setting);
  return at != topic.settings.end() && at->second.find(word) != std::string::npos;
}

/// A partition of the sources, and where its records go.
struct source_at_home {
  topic_partition where;
  std::vector<source_partition> entries{};
  std::int64_t first = 0;  ///< that is still there
  std::int64_t end = 0;
};

/// A partition that is written, and who writes it.
struct output {
  std::string cluster;
  topic_partition where;
  std::vector<std::size_t> sources{};  ///< indexes
  bool takes_letters = false;
  bool stamps = false;
  bool is_compacted = false;
  std::int64_t first = 0;
  std::int64_t end = 0;
};

/// What is known of one cluster when the reading begins. The application may be running: its positions are asked for
/// first, then the ends of what it has written, so that these hold what those have passed; then its letters, which hold
/// what is not there; and the ends of what it reads at last.
struct known_cluster {
  std::map<std::string, described> topics{};
  std::map<topic_partition, engine::source_position> places{};
  std::map<topic_partition, std::set<std::int64_t>> letters{};  ///< offsets at home of what lies in dead letters there
};

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

/// All of one call.
class verification {
 public:
  verification(std::shared_ptr<const plan> what, const app_options& where, const verify_options& how)
      : what_{std::move(what)}, where_{where}, how_{how} {
    for (const auto& spec : what_->sources()) selections_.emplace_back(spec, where_.application, where_.home);
    for (std::uint32_t i = 0; i < what_->sinks().size(); ++i)
      for (const auto& each : what_->sinks()[i].clusters)
        if (concerns(i, name_of(each))) written_[name_of(each)].push_back(i);
  }

  result<void> run(const std::function<void(const verified_partition&)>& see) {
    for (const auto& spec : what_->sources())
      if (!spec.through.empty())
        return fail(failure_kind::refused,
                    "what goes through '" + spec.through +
                        "' cannot be compared, since it is deleted when every target has read it",
                    "verify topologies without repartition, async_map and process");
    if (auto known = find_sources(); !known) return known;
    for (const auto& [cluster, sinks] : written_)
      if (auto known = look_at(cluster); !known) return known;
    if (auto known = find_ends(); !known) return known;
    if (auto known = find_letters(where_.home); !known) return known;
    for (const auto& [cluster, sinks] : written_)
      if (auto known = cluster == where_.home ? result<void>{} : find_letters(cluster); !known) return known;
    if (auto known = find_ends_at_home(); !known) return known;
    for (const auto& sources : groups())
      if (auto done = compare(sources, see); !done) return done;
    return {};
  }

 private:
  engine::names names() const { return {where_.application, where_.home}; }
  std::string name_of(const std::string& cluster) const { return cluster == home ? where_.home : cluster; }

  bool concerns(std::uint32_t index, const std::string& cluster) const {
    const auto& sink = what_->sinks()[index];
    const bool names_topics = sink.names == sink_spec::naming::fixed || sink.names == sink_spec::naming::pattern;
    // What fails on its way is foreseen; what a cluster refuses, and what is parked behind it, is not.
    const bool is_foreseen = !sink.takes_letters || cluster == where_.home;
    return names_topics && is_foreseen && (!how_.cluster || *how_.cluster == cluster);
  }

  inquiry& at(const std::string& cluster) {
    auto& known = inquiries_[cluster];
    if (!known) known = std::make_unique<inquiry>(where_, cluster, patience, box_);
    return *known;
  }

  bool is_foreseen(const letter& what) const {
    return what.from.cluster == where_.home && kind_of(what) == letter_kind::failed && !what_->parks(what);
  }

  result<void> compare(const std::vector<std::size_t>& sources,
                       const std::function<void(const verified_partition&)>& see);
  result<void> find_sources();
  result<void> look_at(const std::string& cluster);
  result<void> find_ends();
  result<void> find_letters(const std::string& cluster);
  result<void> find_ends_at_home();
  result<void> find_ends(const std::string& cluster, const std::vector<topic_partition>& where,
                         const std::function<void(std::size_t, std::int64_t, std::int64_t)>& keep);
  output& output_at(const std::string& cluster, const topic_partition& where);
  std::int32_t partitions_of(const std::string& cluster, const std::string& topic, std::size_t source) const;
  void lead(std::size_t source, std::uint32_t sink, const std::string& cluster);
  std::vector<std::vector<std::size_t>> groups() const;
  port::reader& reader_at(const std::string& cluster, bool of_sources) {
    auto& known = readers_[{cluster, of_sources}];
    if (!known) known = at(cluster).open_reader();
    return *known;
  }

  friend class group;

  std::shared_ptr<const plan> what_;
  const app_options& where_;
  const verify_options& how_;
  std::vector<topic_selection> selections_;
  std::map<std::string, std::vector<std::uint32_t>> written_;  // by cluster: the sinks
  std::shared_ptr<letter_box> box_ = std::make_shared<letter_box>();
  std::map<std::string, std::unique_ptr<inquiry>> inquiries_;
  std::map<std::string, described> topics_at_home_;
  std::vector<source_at_home> sources_;
  std::map<std::string, known_cluster> known_;
  std::vector<output> outputs_;
  std::map<std::pair<std::string, topic_partition>, std::size_t> output_numbers_;
  std::map<topic_partition, std::set<std::int64_t>> failed_;  // offsets of what has failed for every cluster
  std::map<std::pair<std::string, bool>, std::unique_ptr<port::reader>> readers_;
  source_id ids_ = 0;
};

result<void> verification::find_sources() {
  const auto topics = at(where_.home).topics();
  if (!topics) return tl::unexpected{topics.error()};
  std::vector<std::string> names;
  for (const auto& each : *topics)
    if (std::ranges::any_of(selections_, [&](const auto& read) { return read.contains(each.name); }))
      names.push_back(each.name);
  const auto found = at(where_.home).topics(names);
  if (!found) return tl::unexpected{found.error()};
  for (const auto& topic : *found) {
    topics_at_home_[topic.name] = {topic.partitions, says(topic, "cleanup.policy", "compact"), false};
    for (std::int32_t number = 0; number < topic.partitions; ++number) {
      auto& made = sources_.emplace_back(source_at_home{.where = {topic.name, number}});
      for (std::uint32_t i = 0; i < selections_.size(); ++i)
        if (selections_[i].contains(topic.name)) made.entries.push_back({i, where_.home, topic.name, number});
    }
  }
  return {};
}

result<void> verification::look_at(const std::string& cluster) {
  auto& known = known_[cluster];
  const auto positions = at(cluster).positions(names());
  if (!positions) return tl::unexpected{positions.error()};
  for (const auto& lane : *positions)
    for (const auto& [source, place] : lane.sources) known.places[source] = place;
  std::set<std::string> written;
  for (const auto sink : written_.at(cluster))
    for (const auto& source : sources_)
      if (engine::lead_to(what_->sinks()[sink], source.entries))
        written.insert(engine::topic_of(what_->sinks()[sink], names(), source.where.topic));
  const auto found = at(cluster).topics({written.begin(), written.end()});
  if (!found) return tl::unexpected{found.error()};
  for (const auto& each : *found)
    known.topics[each.name] = {each.partitions, says(each, "cleanup.policy", "compact"),
                               says(each, "message.timestamp.type", "LogAppendTime")};
  for (const auto sink : written_.at(cluster))
    for (std::size_t source = 0; source < sources_.size(); ++source) lead(source, sink, cluster);
  return {};
}

output& verification::output_at(const std::string& cluster, const topic_partition& where) {
  const auto [known, is_new] = output_numbers_.try_emplace({cluster, where}, outputs_.size());
  if (is_new) {
    auto& made = outputs_.emplace_back(output{.cluster = cluster, .where = where});
    const auto& topics = known_.at(cluster).topics;
    if (const auto topic = topics.find(where.topic); topic != topics.end())
      made.stamps = topic->second.stamps, made.is_compacted = topic->second.is_compacted;
  }
  return outputs_[known->second];
}

std::int32_t verification::partitions_of(const std::string& cluster, const std::string& topic,
                                         std::size_t source) const {
  const auto& there = known_.at(cluster).topics;
  const auto found = there.find(topic);
  return found != there.end() ? found->second.partitions : topics_at_home_.at(sources_[source].where.topic).partitions;
}

// Which partitions of a cluster the records of a source partition may go to.
void verification::lead(std::size_t source, std::uint32_t index, const std::string& cluster) {
  const auto& sink = what_->sinks()[index];
  const auto& from = sources_[source].where;
  if (!engine::lead_to(sink, sources_[source].entries)) return;
  const auto topic = engine::topic_of(sink, names(), from.topic);
  const auto partitions = partitions_of(cluster, topic, source);
  const auto add = [&](std::int32_t number) {
    auto& to = output_at(cluster, {topic, number});
    to.takes_letters = sink.takes_letters;
    to.is_compacted = to.is_compacted || topics_at_home_.at(from.topic).is_compacted;
    if (std::ranges::count(to.sources, source) == 0) to.sources.push_back(source);
  };
  if (sink.takes_letters) return add(from.partition % partitions);
  if (sink.keeps_partition) return add(from.partition);
  for (std::int32_t number = 0; number < partitions; ++number) add(number);
}

result<void> verification::find_ends(const std::string& cluster, const std::vector<topic_partition>& where,
                                     const std::function<void(std::size_t, std::int64_t, std::int64_t)>& keep) {
  const auto first = at(cluster).offsets(where, port::offset_query::kind::earliest);
  if (!first) return tl::unexpected{first.error()};
  const auto end = at(cluster).offsets(where, port::offset_query::kind::last_stable);
  if (!end) return tl::unexpected{end.error()};
  for (std::size_t i = 0; i < where.size(); ++i) keep(i, (*first)[i], (*end)[i]);
  return {};
}

result<void> verification::find_ends() {
  for (const auto& [cluster, known] : known_) {
    std::vector<topic_partition> where;
    std::vector<output*> of;
    for (auto& each : outputs_) {
      const auto topic = known.topics.find(each.where.topic);
      if (each.cluster != cluster || topic == known.topics.end() || each.where.partition >= topic->second.partitions)
        continue;
      where.push_back(each.where), of.push_back(&each);
    }
    auto found = find_ends(cluster, where, [&](std::size_t i, std::int64_t first, std::int64_t end) {
      of[i]->first = first, of[i]->end = end;
    });
    if (!found) return found;
  }
  return {};
}

result<void> verification::find_letters(const std::string& cluster) {
  const auto topics = at(cluster).topics();
  if (!topics) return tl::unexpected{topics.error()};
  std::map<std::string, std::int32_t> partitions;
  std::vector<std::string> names;
  for (const auto& each : *topics) partitions[each.name] = each.partitions, names.push_back(each.name);
  std::vector<topic_partition> where;
  for (const auto& topic : letter_topics(*what_, where_.home, cluster, names))
    for (std::int32_t number = 0; number < partitions[topic]; ++number) where.push_back({topic, number});
  const auto there = at(cluster).ranges(where);
  if (!there) return tl::unexpected{there.error()};
  return at(cluster).read(*there, [&](const topic_partition&, const fetched_record& record) {
    const auto what = read_letter(record.headers);
    if (!what || what->from.cluster != where_.home) return true;
    auto& letters = is_foreseen(*what) ? failed_ : known_[cluster].letters;
    letters[{std::string{what->from.topic}, what->from.partition}].insert(what->from.offset);
    return true;
  });
}

result<void> verification::find_ends_at_home() {
  std::vector<topic_partition> where;
  for (const auto& each : sources_) where.push_back(each.where);
  return find_ends(where_.home, where, [&](std::size_t i, std::int64_t first, std::int64_t end) {
    sources_[i].first = first, sources_[i].end = end;
  });
}

// Sources that lead to one partition are read together.
std::vector<std::vector<std::size_t>> verification::groups() const {
  std::vector<std::size_t> leader(sources_.size());
  std::iota(leader.begin(), leader.end(), std::size_t{0});
  const auto find = [&](std::size_t of) {
    while (leader[of] != of) of = leader[of] = leader[leader[of]];
    return of;
  };
  for (const auto& each : outputs_)
    for (const auto source : each.sources) leader[find(source)] = find(each.sources.front());
  std::map<std::size_t, std::set<std::size_t>> found;
  for (const auto& each : outputs_)
    for (const auto source : each.sources) found[find(source)].insert(source);
  std::vector<std::vector<std::size_t>> all;
  for (const auto& [first, members] : found) all.emplace_back(members.begin(), members.end());
  std::ranges::sort(all);
  return all;
}

/// Takes the records of one source partition through the operators.
class passage_of_source {
 public:
  passage_of_source(const plan& what, const source_at_home& from, std::uint64_t sinks)
      : what_{what}, from_{from}, sinks_{sinks}, graph_{what.open()} {
    constexpr std::size_t most_of_a_key = 192;
    for (const auto& each : what.dedups())
      seen_.push_back({.ids{each.window, std::string(most_of_a_key, 'k')}, .clock{}, .is_kept_outside = false});
  }

  /// What becomes of a record; valid until the next. Why nothing does: its partition stops there.
  tl::expected<std::span<const emission>, std::string> push(const fetched_record& record) {
    emissions_.clear();
    written_ = arena{};
    for (const auto& entry : from_.entries) {
      attempts before;
      for (int tries = 1;; ++tries) {
        const auto blamed = graph_->push(entry, record,
                                         {.active = sinks_,
                                          .written = written_,
                                          .out = emissions_,
                                          .wall_clock = record.timestamp,
                                          .before = &before,
                                          .seen = seen_.data()});
        if (!blamed) break;
        if (!blamed->again || tries == most_tries) return tl::unexpected{blamed->node + ": " + blamed->reason};
        before.add(*blamed, record.timestamp - std::chrono::milliseconds{std::chrono::hours{24 * 365}}.count());
      }
    }
    note(record);
    return std::span<const emission>{emissions_};
  }

  /// A dedup may have judged the last record otherwise, by what came before the first that is left.
  bool is_uncertain() const {
    if (seen_.empty()) return false;
    const auto longest = std::ranges::max(what_.dedups(), {}, &dedup_spec::window).window.count();
    return latest_ - first_time_ <= longest;
  }

 private:
  void note(const fetched_record& record) {
    if (passed_ == 0) first_time_ = record.timestamp;
    latest_ = std::max(latest_, record.timestamp);
    if (++passed_ % forget_every != 0) return;
    for (auto& each : seen_) {
      each.ids.take_new();
      if (each.clock.now() != stream_clock::unset) each.ids.forget_before(each.clock.now() - each.ids.window().count());
    }
  }

  const plan& what_;
  const source_at_home& from_;
  std::uint64_t sinks_;
  std::unique_ptr<graph> graph_;
  std::vector<dedup_memory> seen_;
  std::vector<emission> emissions_;
  arena written_;
  std::int64_t first_time_ = 0, latest_ = std::numeric_limits<std::int64_t>::min();
  std::uint64_t passed_ = 0;
};

/// The partitions that some sources lead to, while they are read beside these.
class group {
 public:
  group(verification& by, const std::vector<std::size_t>& sources) : by_{by}, first_id_{by.ids_} {
    for (const auto source : sources) places_[source] = places_.size();
    for (const auto& each : by.outputs_)
      if (places_.contains(each.sources.front())) add_output(each);
    for (const auto source : sources) add_source(by.sources_[source]);
    settle();
  }

  ~group() {
    for (auto& each : streams_)
      if (!each.ended) each.reader->unassign(each.id);
  }
  group(const group&) = delete;
  group& operator=(const group&) = delete;

  result<void> run() {
    auto limit = clock::now() + longest_silence;
    while (!is_over()) {
      if (by_.how_.stop.stop_requested())
        return fail(failure_kind::retriable, "the verification was broken off", "start it again");
      by_.box_->open_all();
      const bool moved = poll();
      if (failed_) return tl::unexpected{*failed_};
      const auto now = clock::now();
      if (moved) limit = now + longest_silence;
      if (now >= limit)
        return fail(failure_kind::timed_out, waited_for() + " has not answered for half a minute",
                    "see whether it can be reached, and try again");
      if (!moved) by_.box_->wait_until(now + look_again);
    }
    return {};
  }

  void tell(const std::function<void(const verified_partition&)>& see) const {
    for (const auto& each : compared_) {
      auto made = each.with.verdict();
      made.cluster = each.is->cluster;
      made.where = each.is->where;
      for (const auto source : each.is->sources)
        if (const auto& stop = readings_[places_.at(source)].stop; stop && !has_passed(made.cluster, *stop))
          made.stopped.push_back(*stop);
      see(made);
    }
  }

 private:
  struct compared {
    const output* is;
    engine::comparison with;
  };
  struct reading {
    const source_at_home* is;
    std::unique_ptr<passage_of_source> through;
    std::optional<halted_partition> stop{};  // the first, where the application stops too
  };
  /// A partition that is read: a source, or what is compared.
  struct stream {
    std::string cluster;
    port::reader* reader;
    source_id id;
    std::int64_t until;
    std::size_t number;
    bool is_source;
    bool ended = false;
  };

  void add_source(const source_at_home& what);
  void add_output(const output& what);
  void open(const std::string& cluster, const topic_partition& where, std::int64_t first, std::int64_t until,
            std::size_t number, bool is_source);
  const engine::source_position* place(const std::string& cluster, const topic_partition& of) const;
  bool has_passed(const std::string& cluster, const halted_partition& stop) const;
  std::int64_t begin_of(const std::string& cluster, const source_at_home& of) const;
  bool is_over() const { return std::ranges::all_of(streams_, &stream::ended); }
  bool poll();
  bool is_wanted(bool source) const;
  void take(stream& from, const fetched_record& record);
  void take_source(std::size_t number, const fetched_record& record);
  void expect(std::size_t number, const std::string& cluster, const emission& what, const fetched_record& record);
  void take_output(compared& into, const fetched_record& record);
  void end(stream& which);
  void settle();
  std::string waited_for() const;

  verification& by_;
  std::map<std::size_t, std::size_t> places_;  // of a source: its number here
  std::vector<reading> readings_;
  std::vector<compared> compared_;
  std::map<std::pair<std::string, topic_partition>, std::size_t> compared_at_;
  source_id first_id_;
  std::vector<stream> streams_;
  std::optional<failure> failed_;
};

const engine::source_position* group::place(const std::string& cluster, const topic_partition& of) const {
  const auto& places = by_.known_.at(cluster).places;
  const auto known = places.find(of);
  return known == places.end() ? nullptr : &known->second;
}

// It may have been another topology then.
bool group::has_passed(const std::string& cluster, const halted_partition& stop) const {
  const auto* known = place(cluster, stop.where);
  return known && known->next > stop.offset;
}

std::int64_t group::begin_of(const std::string& cluster, const source_at_home& of) const {
  const auto* known = place(cluster, of.where);
  return known ? known->begin : of.first;
}

void group::add_output(const output& what) {
  std::vector<engine::wanted_source> from;
  for (const auto source : what.sources) {
    const auto& at_home = by_.sources_[source];
    from.push_back({at_home.where, at_home.first > begin_of(what.cluster, at_home)});
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

void group::add_source(const source_at_home& what) {
  auto begin = never;
  std::uint64_t sinks = 0;
  for (const auto& [cluster, of] : by_.written_)
    for (const auto sink : of) {
      if (!engine::lead_to(by_.what_->sinks()[sink], what.entries)) continue;
      begin = std::min(begin, begin_of(cluster, what));
      sinks |= std::uint64_t{1} << sink;
    }
  begin = std::max(begin, what.first);
  const auto number = readings_.size();
  readings_.push_back({&what, std::make_unique<passage_of_source>(*by_.what_, what, sinks)});
  open(by_.where_.home, what.where, begin, what.end, number, true);
  if (begin >= what.end) end(streams_.back());
}

void group::open(const std::string& cluster, const topic_partition& where, std::int64_t first, std::int64_t until,
                 std::size_t number, bool is_source) {
  auto& reader = by_.reader_at(cluster, is_source);
  streams_.push_back({cluster, &reader, by_.ids_++, until, number, is_source});
  if (first < until) reader.assign(streams_.back().id, where, first);
}

void group::end(stream& which) {
  which.ended = true;
  which.reader->unassign(which.id);
  if (!which.is_source) return compared_[which.number].with.found_all();
  for (auto& each : compared_)
    for (std::size_t i = 0; i < each.is->sources.size(); ++i)
      if (places_.at(each.is->sources[i]) == which.number) each.with.source_ended(i);
}

void group::settle() {
  for (auto& each : compared_) each.with.settle();
}

// Neither side runs away from the other, unless something may be anywhere.
bool group::is_wanted(bool source) const {
  std::size_t wanted = 0, found = 0;
  bool looks_far = false;
  for (const auto& each : compared_) {
    wanted += each.with.wanted();
    found += each.with.found();
    looks_far = looks_far || (each.with.looks_far() && each.with.found() > 0);
  }
  const bool all_found = std::ranges::all_of(streams_, [](const stream& each) { return each.is_source || each.ended; });
  return source ? wanted < most_waiting || looks_far || all_found : found < most_waiting;
}

bool group::poll() {
  bool moved = false;
  std::set<std::pair<bool, port::reader*>> open;
  for (const auto& each : streams_)
    if (!each.ended) open.emplace(each.is_source, each.reader);
  for (const auto& [of_sources, reader] : open) {
    fetched batch;
    if (!is_wanted(of_sources) || !reader->poll(batch, records_at_once)) continue;
    moved = true;
    const auto of = [&](source_id id) -> stream& { return streams_[id - first_id_]; };
    for (const auto& record : batch.records) take(of(record.source), record);
    for (const auto& each : batch.ends)
      if (!of(each.source).ended && each.next >= of(each.source).until) end(of(each.source));
    for (const auto& each : batch.failures)
      if (!of(each.source).ended) failed_ = each.why;
    settle();
  }
  return moved;
}

void group::take(stream& from, const fetched_record& record) {
  if (from.ended) return;
  if (record.offset >= from.until) return end(from);
  from.is_source ? take_source(from.number, record) : take_output(compared_[from.number], record);
}

void group::take_source(std::size_t number, const fetched_record& record) {
  auto& from = readings_[number];
  const auto made = from.through->push(record);
  if (!made) {
    if (!from.stop) from.stop = {from.is->where, record.offset, made.error()};
    return;
  }
  for (const auto& each : *made)
    for (const auto& cluster : by_.what_->sinks()[each.sink].clusters)
      if (const auto name = by_.name_of(cluster); by_.concerns(each.sink, name)) expect(number, name, each, record);
}

void group::expect(std::size_t number, const std::string& cluster, const emission& what, const fetched_record& record) {
  const auto& from = *readings_[number].is;
  if (record.offset < begin_of(cluster, from)) return;
  const auto& sink = by_.what_->sinks()[what.sink];
  const auto source = static_cast<std::size_t>(&from - by_.sources_.data());
  const auto topic = engine::topic_of(sink, by_.names(), from.where.topic);
  const engine::route to{.name = {}, .partitions = by_.partitions_of(cluster, topic, source)};
  const auto at = compared_at_.find({cluster, {topic, engine::partition_of(to, what)}});
  if (at == compared_at_.end()) return;
  auto& [is, with] = compared_[at->second];

  const auto letter = sink.takes_letters ? read_letter(what.headers) : std::nullopt;
  if (letter && !by_.is_foreseen(*letter)) return;
  auto digest = letter ? digest_of_letter(what.key, what.value, what.timestamp, what.headers, *letter)
                       : engine::digest_of(what.key, what.value, what.timestamp, what.headers);
  if (is->stamps) digest.timestamp = 0;
  const auto lies_in = [&](const auto& letters) {
    const auto of = letters.find(from.where);
    return of != letters.end() && of->second.contains(record.offset);
  };
  if (!letter && (lies_in(by_.failed_) || lies_in(by_.known_.at(cluster).letters))) return with.set_aside(digest);
  if (from.first > begin_of(cluster, from) && readings_[number].through->is_uncertain()) return;
  const auto* known = place(cluster, from.where);
  const auto order = static_cast<std::size_t>(std::ranges::find(is->sources, source) - is->sources.begin());
  with.expect(order, {.what = digest,
                      .offset = record.offset,
                      .is_due = known && record.offset < known->next,
                      .is_null = what.value.is_null()});
}

void group::take_output(compared& into, const fetched_record& record) {
  const auto letter = into.is->takes_letters ? read_letter(record.headers) : std::nullopt;
  const auto is_one_of_them = [&] {
    return letter && by_.is_foreseen(*letter) && std::ranges::any_of(into.is->sources, [&](auto source) {
             const auto& where = by_.sources_[source].where;
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

std::string group::waited_for() const {
  for (const auto& each : streams_)
    if (!each.ended && is_wanted(each.is_source)) return each.cluster;
  return by_.where_.home;
}

result<void> verification::compare(const std::vector<std::size_t>& sources,
                                   const std::function<void(const verified_partition&)>& see) {
  group now{*this, sources};
  if (auto done = now.run(); !done) return done;
  now.tell(see);
  return {};
}

}  // namespace

std::string to_string(const difference& what) {
  const auto offset = [](const std::optional<std::int64_t>& of) { return of ? std::to_string(*of) : "?"; };
  const auto record = "offset " + offset(what.from_offset) + " of " + to_string(what.from);
  switch (what.what) {
    case difference::kind::missing:
      return record + " is missing, " + (what.offset ? "before offset " + offset(what.offset) : "at the end");
    case difference::kind::repeated:
      return "offset " + offset(what.offset) + " is " + record + " once more";
    case difference::kind::reordered:
      return "offset " + offset(what.offset) + " is " + record + ", which comes too early";
    case difference::kind::changed:
      return "offset " + offset(what.offset) + " is " + record + " with another " + std::string{what.part};
    case difference::kind::unexpected:
      break;
  }
  return "offset " + offset(what.offset) + " is no record that belongs there";
}

result<void> verify(const topology& of, app_options where, const std::function<void(const verified_partition&)>& see,
                    verify_options how) {
  surroundings there{.clusters = {}, .home = where.home};
  for (const auto& [name, properties] : where.clusters) there.clusters.push_back(name);
  const auto what = of.build(there);
  const app checked{what, where};
  if (where.application.empty()) where.application = what->application();
  if (!where.logger) where.logger = make_logger(where.application);
  return verification{what, where, how}.run(see);
}

}  // namespace flow
