#include <flow/dead_letters.hpp>

#include <algorithm>
#include <iterator>

#include <flow/topology.hpp>

#include "log.hpp"
#include "releasing.hpp"
#include "replaying.hpp"
#include "tally.hpp"
#include "visit.hpp"

namespace flow {
namespace {

std::shared_ptr<const plan> plan_of(const topology& what, const app_options& where) {
  surroundings there{.clusters = {}, .home = where.home};
  for (const auto& [name, properties] : where.clusters) there.clusters.push_back(name);
  return what.build(there);
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

tl::unexpected<failure> nothing_to_look_at() {
  return fail(failure_kind::missing,
              "no policy of this topology dead-letters anything, so it is not known where letters lie",
              "keep the policy until they are replayed; or name their topics, as --letters \"{topic}.dlq\"");
}

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
    auto there = tally{now, cluster}.run();
    if (!there) return tl::unexpected{there.error()};
    std::ranges::move(*there, std::back_inserter(found));
  }
  if (auto named = now.check_others(); !named) return tl::unexpected{named.error()};
  return found;
}

result<void> dead_letters::show(const letters_wanted& which,
                                const std::function<void(const shown_letter&)>& see) const {
  visit now{what_, options_, others_};
  if (now.clusters().empty()) return nothing_to_look_at();
  std::uint64_t left = which.limit;
  bool is_there = false, is_any = false;
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
      if (is_wanted) --left, is_any = true, see(shown(cluster, where, *what, record));
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
  // Letters of a node that there was are shown.
  return which.node && !is_any ? now.check_node(*which.node) : result<void>{};
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
  if (auto named = now.check_others(); !named) return tl::unexpected{named.error()};
  for (const auto& [cluster, ranges] : there)
    for (const auto& each : now.passes_on(cluster))
      if (auto reached = now.reach(*now.replay(each, ranges), each); !reached) return tl::unexpected{reached.error()};
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
