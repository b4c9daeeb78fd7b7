#include <flow/dead_letters.hpp>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <set>

#include <flow/replay.hpp>
#include <flow/topology.hpp>

#include "inquiry.hpp"
#include "log.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;

// So long it may take until a cluster answers; a replay waits for its targets as any program does.
constexpr auto patience = 15s;
constexpr auto stop_limit = 25s;
constexpr auto look_every = 250ms;
// So long nothing of a release may move before it is not waited for any more.
constexpr auto longest_standstill = 2min;

std::shared_ptr<const plan> plan_of(const topology& what, const app_options& where) {
  surroundings there{.clusters = {}, .home = where.home};
  for (const auto& [name, properties] : where.clusters) there.clusters.push_back(name);
  return what.build(there);
}

/// A program that takes letters through again: those of one kind, on one cluster.
struct pass {
  std::string cluster;
  letter_kind kind;
};

/// What those programs are called, and where they have their positions.
engine::names names_of(const plan& replay, const std::string& cluster, const std::string& lanes) {
  return {replay.application(), cluster, lanes};
}

/// The clusters and lanes that a plan writes.
std::set<std::pair<std::string, std::string>> sites_of(const plan& what, const std::string& read) {
  std::set<std::pair<std::string, std::string>> all;
  for (const auto& sink : what.sinks())
    for (const auto& each : sink.clusters) all.emplace(each == home ? read : each, sink.lanes);
  return all;
}

raw_record raw(const fetched_record& record, std::span<const header> headers) {
  const auto text = [](bytes of) { return of.is_null() ? std::nullopt : std::optional{of.str()}; };
  raw_record made{.key = text(record.key),
                  .value = text(record.value),
                  .timestamp = record.timestamp,
                  .headers = {},
                  .offset = record.offset};
  for (const auto& each : headers) made.headers.push_back({std::string{each.key}, text(each.value)});
  return made;
}

shown_letter shown(const std::string& cluster, const topic_partition& where, const letter& what,
                   const fetched_record& record) {
  arena room;
  return {.cluster = cluster,
          .where = where,
          .node = std::string{what.node},
          .reason = what.reason,
          .text = std::string{what.text},
          .from_cluster = std::string{what.from.cluster},
          .from = {std::string{what.from.topic}, what.from.partition},
          .from_offset = what.from.offset,
          .attempts = what.attempts,
          .time = what.time,
          .what = raw(record, without_letter(record.headers, room))};
}

/// The work of one call.
class visit {
 public:
  visit(std::shared_ptr<const plan> what, const app_options& how, const std::vector<std::string>& others)
      : what_{std::move(what)}, how_{how}, others_{others} {}

  /// Home first.
  std::vector<std::string> clusters() const {
    std::set<std::string> others;
    bool at_home = !others_.empty();
    for (const auto& sink : what_->sinks()) {
      if (!sink.takes_letters && others_.empty()) continue;
      for (const auto& each : sink.clusters)
        if (each == home)
          at_home = true;
        else
          others.insert(each);
    }
    std::vector<std::string> all(others.begin(), others.end());
    if (at_home) all.insert(all.begin(), how_.home);
    return all;
  }

  std::vector<pass> passes_on(const std::string& cluster) const {
    std::vector<pass> all;
    const bool is_home = cluster == how_.home;
    if (is_home) all.push_back({cluster, letter_kind::failed});
    const auto alias = is_home ? std::string{home} : cluster;
    const auto may_be_refused = [&](const sink_spec& sink) {
      return !sink.takes_letters && (!others_.empty() || sink.on_failure.what() == policy::kind::dead_letter) &&
             std::ranges::count(sink.clusters, alias) > 0;
    };
    const bool refuses = std::ranges::any_of(what_->sinks(), may_be_refused) || parks_on(cluster);
    if (refuses) all.push_back({cluster, letter_kind::refused});
    return all;
  }

  /// Keys may be parked there.
  bool parks_on(const std::string& cluster) const {
    const auto alias = cluster == how_.home ? std::string{home} : cluster;
    return std::ranges::any_of(what_->parking(), [&](const parking_spec& each) {
      return std::ranges::count(what_->sinks()[each.letters].clusters, alias) > 0;
    });
  }
  bool is_parked(const letter& what, bytes key) const { return !key.is_null() && what_->parks(what); }
  /// What belongs to the program itself on a cluster.
  engine::names own_names() const { return {how_.application, how_.home}; }
  /// What its lanes there have parked, by source partition.
  result<std::map<topic_partition, engine::parking>> parked_on(const std::string& cluster) {
    std::map<topic_partition, engine::parking> found;
    if (!parks_on(cluster)) return found;
    const auto known = at(cluster).positions(own_names());
    if (!known) return tl::unexpected{known.error()};
    for (const auto& each : *known)
      for (const auto& [source, place] : each.sources) found.emplace(source, place.parked);
    return found;
  }

  inquiry& at(const std::string& cluster) {
    auto& known = inquiries_[cluster];
    if (!known) known = std::make_unique<inquiry>(how_, cluster, patience);
    return *known;
  }

  /// The partitions of the letters' topics on a cluster.
  result<std::vector<topic_partition>> partitions(const std::string& cluster) {
    const auto topics = at(cluster).topics();
    if (!topics) return tl::unexpected{topics.error()};
    std::map<std::string, std::int32_t> counts;
    std::vector<std::string> names;
    for (const auto& each : *topics) counts[each.name] = each.partitions, names.push_back(each.name);
    std::vector<topic_partition> found;
    auto of_letters = letter_topics(*what_, how_.home, cluster, names, others_);
    std::ranges::sort(of_letters);
    for (const auto& topic : of_letters)
      for (std::int32_t number = 0; number < counts[topic]; ++number) found.push_back({topic, number});
    return found;
  }

  std::shared_ptr<const plan> replay(const pass& which, const std::map<topic_partition, inquiry::range>& there,
                                     bool pass_over_strangers = false) const {
    replay_options how{.application = how_.application,
                       .home = how_.home,
                       .cluster = which.cluster,
                       .kind = which.kind,
                       .until = {},
                       .pass_over_strangers = pass_over_strangers};
    for (const auto& [where, range] : there) how.until[where] = range.second;
    return replay_of(what_, std::move(how));
  }

  /// How far a replay has come with each partition on every cluster and in all lanes that it writes.
  result<std::map<topic_partition, std::int64_t>> places(const plan& replay, const pass& which,
                                                         const std::vector<topic_partition>& of) {
    std::map<topic_partition, std::int64_t> least;
    bool first = true;
    for (const auto& [cluster, lanes] : sites_of(replay, which.cluster)) {
      const auto there = at(cluster).places(names_of(replay, which.cluster, lanes), of);
      if (!there) return tl::unexpected{there.error()};
      if (std::exchange(first, false)) least = *there;
      std::erase_if(least, [&](const auto& each) { return !there->contains(each.first); });
      for (auto& [where, place] : least) place = std::min(place, there->at(where));
    }
    return least;
  }

 private:
  std::shared_ptr<const plan> what_;
  const app_options& how_;
  const std::vector<std::string>& others_;
  std::map<std::string, std::unique_ptr<inquiry>> inquiries_;
};

/// The letter is one that waits for a release.
bool holds(const engine::parking& parked, const letter& what, const fetched_record& record) {
  if (record.offset < parked.settled) return false;
  const auto is_behind = [&](const parked_keys& keys) {
    const auto first = keys.find(what.node, record.key);
    return first && *first <= what.from.offset;
  };
  return is_behind(parked.keys) || is_behind(parked.released);
}

/// Waits until something is true, looking now and then; false if it was told to stop.
bool wait_for(std::stop_token stop, const std::function<bool()>& holds) {
  std::mutex mutex;
  std::condition_variable_any changed;
  while (!holds()) {
    std::unique_lock lock{mutex};
    changed.wait_for(lock, stop, look_every, [] { return false; });
    if (stop.stop_requested()) return false;
  }
  return true;
}

/// Tells the lanes of one cluster to release what they have parked, and waits until they have.
class releasing {
 public:
  releasing(visit& by, std::string cluster) : by_{by}, cluster_{std::move(cluster)} {}

  result<void> run(std::stop_token stop, letters_replayed& into) {
    const auto before = parked();
    if (!before) return tl::unexpected{before.error()};
    if (*before == 0) return {};
    const auto told =
        by_.at(cluster_).write({by_.own_names().commands_topic(), 0}, "release", engine::encode(engine::command{}));
    if (!told) return tl::unexpected{told.error()};
    result<bool> done = false;
    const bool waited = wait_for(stop, [&] { return !(done = have_obeyed(*told)) || *done; });
    if (!done) return tl::unexpected{done.error()};
    if (!waited)
      return fail(failure_kind::retriable, "what is parked on " + cluster_ + " is not released yet",
                  "it will be, as soon as its lanes are at work");
    const auto after = parked();
    if (!after) return tl::unexpected{after.error()};
    into.released += *before - std::min(*before, *after);
    into.parked += *after;
    return {};
  }

 private:
  /// Keys.
  result<std::uint64_t> parked() {
    const auto known = by_.parked_on(cluster_);
    if (!known) return tl::unexpected{known.error()};
    std::uint64_t count = 0;
    for (const auto& [source, each] : *known) count += each.count();
    return count;
  }

  result<bool> have_obeyed(std::int64_t command) {
    const auto known = by_.parked_on(cluster_);
    if (!known) return tl::unexpected{known.error()};
    const bool all = std::ranges::all_of(*known, [&](const auto& each) {
      return each.second.released.empty() && (each.second.commands > command || each.second.keys.empty());
    });
    if (all) return true;
    if (is_stuck(*known))
      return fail(failure_kind::retriable, "nothing of what is parked on " + cluster_ + " is released for two minutes",
                  "look at why the application stands still there; it goes on with it by itself");
    const auto owned = by_.at(cluster_).are_owned(by_.own_names());
    if (!owned) return tl::unexpected{owned.error()};
    if (!*owned)
      return fail(failure_kind::retriable, "nobody works on the lanes on " + cluster_ + " that have parked keys",
                  "start the application: they are released then");
    return false;
  }

  /// A lane may be owned by somebody who stands still.
  bool is_stuck(const std::map<topic_partition, engine::parking>& now) {
    const auto moment = std::chrono::steady_clock::now();
    if (now != last_seen_) last_seen_ = now, moved_ = moment;
    return moment - moved_ > longest_standstill;
  }

  visit& by_;
  std::string cluster_;
  std::map<topic_partition, engine::parking> last_seen_;
  std::chrono::steady_clock::time_point moved_ = std::chrono::steady_clock::now();
};

tl::unexpected<failure> nothing_to_look_at() {
  return fail(failure_kind::missing,
              "no policy of this topology dead-letters anything, so it is not known where letters lie",
              "keep the policy until they are replayed; or name their topics, as --letters \"{topic}.dlq\"");
}

/// Runs one replay to its end.
class replaying {
 public:
  replaying(visit& by, std::shared_ptr<const plan> what, pass which, std::map<topic_partition, inquiry::range> there,
            app_options how)
      : by_{by}, what_{std::move(what)}, which_{std::move(which)}, there_{std::move(there)}, how_{std::move(how)} {
    for (const auto& [where, range] : there_) partitions_.push_back(where);
    how_.application.clear();
    how_.home = which_.cluster;
    // What one cluster refused concerns no other.
    if (which_.kind == letter_kind::refused) how_.clusters = {{how_.home, how_.clusters.at(how_.home)}};
    how_.state.clear();
    how_.threads = 1;
    how_.leave_on_stop = true;
    // The outputs hold what did not fail.
    how_.fresh = true;
  }

  result<void> run(std::stop_token stop, letters_replayed& into) {
    if (is_finished(nullptr)) return {};
    app running{what_, how_};
    if (auto started = running.start(); !started) return started;
    std::optional<failure> refused;
    bool is_done = false;
    wait_for(stop, [&] {
      const auto now = running.status();
      refused = refusal(now);
      is_done = is_finished(&now);
      return is_done || is_over(running);
    });
    running.stop(stop_limit);
    count(running.status(), into);
    if (auto over = running.wait(); !over) return over;
    if (refused) return tl::unexpected{*refused};
    if (!is_done)
      return fail(failure_kind::retriable, "the replay was broken off", "start it again: it goes on where it was");
    return {};
  }

 private:
  static bool is_over(const app& running) {
    const auto phase = running.status().phase;
    return phase == app_phase::stopped || phase == app_phase::failed;
  }

  /// What only a person can mend.
  static bool is_final(const std::optional<failure>& trouble) {
    return trouble && trouble->kind == failure_kind::refused;
  }
  static std::optional<failure> refusal(const app_status& now) {
    for (const auto& worker : now.workers)
      for (const auto& target : worker.targets) {
        if (is_final(target.trouble)) return target.trouble;
        for (const auto& each : target.halted)
          return failure{failure_kind::refused, target.cluster + ": " + to_string(each.where) + " stops at " + each.why,
                         "mend that and start it again, which goes on there"};
      }
    return std::nullopt;
  }

  /// Every partition is at its end, or stopped, on every cluster. One that is away is not asked: the replay waits for
  /// it, and says so.
  bool is_finished(const app_status* now) {
    for (const auto& [cluster, lanes] : sites_of(*what_, which_.cluster)) {
      const auto* there = now ? find(*now, cluster, lanes) : nullptr;
      if (there && is_final(there->trouble)) continue;
      if (now && !(there && there->ready)) return false;
      auto& asked = by_.at(cluster);
      const auto before = std::exchange(asked.patience, 0ms);
      const auto places = asked.places(names_of(*what_, which_.cluster, lanes), partitions_);
      asked.patience = before;
      if (!places) return false;
      for (const auto& [where, range] : there_) {
        const auto place = places->find(where);
        if (place != places->end() && place->second >= range.second) continue;
        const bool is_halted =
            there && std::ranges::find(there->halted, where, &halted_partition::where) != there->halted.end();
        if (!is_halted) return false;
      }
    }
    return true;
  }

  static const target_status* find(const app_status& in, const std::string& cluster, const std::string& lanes) {
    for (const auto& worker : in.workers)
      for (const auto& target : worker.targets)
        if (target.cluster == cluster && target.sink == lanes) return &target;
    return nullptr;
  }

  void count(const app_status& now, letters_replayed& into) const {
    for (const auto& worker : now.workers) {
      if (worker.nodes.empty()) continue;
      const auto& letters = worker.nodes.back();
      std::uint64_t tries = 0;
      for (const auto& node : worker.nodes) into.failed += node.dead_lettered, tries += node.retried;
      for (const auto& target : worker.targets) into.failed += target.dead_letters;
      into.replayed += letters.received - std::min(letters.received, letters.skipped + tries);
      into.passed_over += letters.skipped;
      into.dropped += letters.dropped;
    }
  }

  visit& by_;
  std::shared_ptr<const plan> what_;
  pass which_;
  std::map<topic_partition, inquiry::range> there_;
  std::vector<topic_partition> partitions_;
  app_options how_;
};

}  // namespace

dead_letters::dead_letters(const topology& of, app_options where, std::vector<std::string> others)
    : dead_letters{plan_of(of, where), std::move(where), std::move(others)} {}

dead_letters::dead_letters(std::shared_ptr<const plan> of, app_options where, std::vector<std::string> others)
    : what_{std::move(of)}, options_{std::move(where)}, others_{std::move(others)} {
  const app checked{what_, options_};
  if (options_.application.empty()) options_.application = what_->application();
  if (!options_.logger) options_.logger = make_logger(options_.application);
}

result<std::vector<letters_in>> dead_letters::list(const std::optional<std::string>& only) const {
  visit now{what_, options_, others_};
  if (now.clusters().empty()) return nothing_to_look_at();
  std::vector<letters_in> found;
  for (const auto& cluster : now.clusters()) {
    if (only && *only != cluster) continue;
    const auto partitions = now.partitions(cluster);
    if (!partitions) return tl::unexpected{partitions.error()};
    const auto there = now.at(cluster).ranges(*partitions);
    if (!there) return tl::unexpected{there.error()};
    std::map<letter_kind, std::map<topic_partition, std::int64_t>> replayed;
    for (const auto& each : now.passes_on(cluster)) {
      auto places = now.places(*now.replay(each, *there), each, *partitions);
      if (places) replayed[each.kind] = std::move(*places);
    }
    const auto parked = now.parked_on(cluster);
    std::map<std::string, letters_in> topics;
    for (const auto& each : *partitions) topics.try_emplace(each.topic, letters_in{cluster, each.topic});
    const auto see = [&](const topic_partition& where, const fetched_record& record) {
      auto& into = topics.at(where.topic);
      const auto what = read_letter(record.headers);
      if (!what || what->from.cluster != options_.home) return ++into.others, true;
      const auto is_alike = [&](const letters_alike& each) {
        return each.node == what->node && each.reason == what->reason && each.topic == what->from.topic;
      };
      auto alike = std::ranges::find_if(into.letters, is_alike);
      if (alike == into.letters.end())
        alike = into.letters.insert(alike, {std::string{what->node}, what->reason, std::string{what->from.topic}});
      ++alike->letters;
      if (now.is_parked(*what, record.key)) {
        if (!parked) return alike->replayed.reset(), true;
        const auto of_source = parked->find({std::string{what->from.topic}, what->from.partition});
        const bool waits = of_source != parked->end() && holds(of_source->second, *what, record);
        if (!waits && alike->replayed) ++*alike->replayed;
        return true;
      }
      const auto places = replayed.find(kind_of(*what));
      if (places == replayed.end()) return alike->replayed.reset(), true;
      const auto place = places->second.find(where);
      if (place != places->second.end() && record.offset < place->second) ++*alike->replayed;
      return true;
    };
    if (auto read = now.at(cluster).read(*there, see); !read) return tl::unexpected{read.error()};
    for (auto& [name, each] : topics) found.push_back(std::move(each));
  }
  return found;
}

result<void> dead_letters::show(const letters_wanted& which,
                                const std::function<void(const shown_letter&)>& see) const {
  visit now{what_, options_, others_};
  if (now.clusters().empty()) return nothing_to_look_at();
  std::uint64_t left = which.limit;
  bool is_there = false;
  for (const auto& cluster : now.clusters()) {
    if (which.cluster && *which.cluster != cluster) continue;
    auto partitions = now.partitions(cluster);
    if (!partitions) return tl::unexpected{partitions.error()};
    std::erase_if(*partitions, [&](const auto& each) {
      return each.topic != which.topic || (which.partition && each.partition != *which.partition);
    });
    is_there = is_there || !partitions->empty();
    auto there = now.at(cluster).ranges(*partitions);
    if (!there) return tl::unexpected{there.error()};
    const auto look_at = [&](const topic_partition& where, const fetched_record& record) {
      const auto what = read_letter(record.headers);
      const bool is_wanted = what && (!which.node || *which.node == what->node) &&
                             (!which.reason || *which.reason == what->reason) &&
                             (!which.key || bytes{*which.key} == record.key);
      if (is_wanted) --left, see(shown(cluster, where, *what, record));
      return left > 0;
    };
    // One after the other, so that they come in order.
    for (auto& [where, range] : *there) {
      if (left == 0) return {};
      range.first = std::max(range.first, which.offset);
      if (auto read = now.at(cluster).read({{where, range}}, look_at); !read) return read;
    }
  }
  if (!is_there)
    return fail(failure_kind::missing,
                which.topic + (which.partition ? "/" + std::to_string(*which.partition) : "") +
                    " is no topic of dead letters on " + which.cluster.value_or("any cluster"),
                "list names those that there are");
  return {};
}

result<letters_replayed> dead_letters::replay(const letters_again& how, std::stop_token stop) const {
  visit now{what_, options_, others_};
  if (now.clusters().empty()) return nothing_to_look_at();
  // All ends at the beginning: what fails on the way lies behind them, wherever that is.
  std::map<std::string, std::map<topic_partition, inquiry::range>> there;
  for (const auto& cluster : now.clusters()) {
    if (how.cluster && *how.cluster != cluster) continue;
    const auto partitions = now.partitions(cluster);
    if (!partitions) return tl::unexpected{partitions.error()};
    auto ranges = now.at(cluster).ranges(*partitions);
    if (!ranges) return tl::unexpected{ranges.error()};
    if (!ranges->empty()) there[cluster] = std::move(*ranges);
  }
  letters_replayed all;
  std::optional<failure> first;
  for (const auto& cluster : now.clusters()) {
    if ((how.cluster && *how.cluster != cluster) || !now.parks_on(cluster)) continue;
    if (auto done = releasing{now, cluster}.run(stop, all); !done && !first) first = done.error();
  }
  for (const auto& [cluster, ranges] : there)
    for (const auto& each : now.passes_on(cluster)) {
      replaying one{now, now.replay(each, ranges, how.pass_over_strangers), each, ranges, options_};
      const auto done = one.run(stop, all);
      if (!done && done.error().kind != failure_kind::refused) return tl::unexpected{done.error()};
      if (!done && !first) first = done.error();
    }
  if (first) return tl::unexpected{*first};
  return all;
}

}  // namespace flow
