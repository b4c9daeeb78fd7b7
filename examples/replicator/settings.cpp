#include "settings.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

#include <flow/json.hpp>
#include <flow/spelling.hpp>
#include <flow/topic.hpp>
#include <flow/topic_selection.hpp>

namespace replicator {

void settings::topic_settings::check(flow::problems& found) const {
  if (include.empty()) found.at(include, "there is no topic to replicate", "name one, or a pattern of several");
  const flow::topic_selection all{include, {}}, left{include, exclude};
  for (const auto& entry : include) {
    if (!flow::is_topic_name(entry)) continue;
    if (!all.contains(entry)) {
      found.at(entry, "topic " + entry + " is internal, and never replicated", "leave it out");
    } else if (!left.contains(entry)) {
      found.at(entry, "topic " + entry + " is excluded as well", "take it out of include or of exclude");
    }
  }
}

flow::complaint settings::topic_settings::check_setting(const std::string& name) {
  static const std::vector<std::string> of_one_cluster{"follower.replication.throttled.replicas",
                                                       "leader.replication.throttled.replicas",
                                                       "message.timestamp.after.max.ms",
                                                       "message.timestamp.before.max.ms",
                                                       "message.timestamp.difference.max.ms",
                                                       "message.timestamp.type",
                                                       "min.insync.replicas",
                                                       "unclean.leader.election.enable"};
  static const std::vector<std::string> all{"cleanup.policy",
                                            "compression.gzip.level",
                                            "compression.lz4.level",
                                            "compression.type",
                                            "compression.zstd.level",
                                            "delete.retention.ms",
                                            "file.delete.delay.ms",
                                            "flush.messages",
                                            "flush.ms",
                                            "index.interval.bytes",
                                            "local.retention.bytes",
                                            "local.retention.ms",
                                            "max.compaction.lag.ms",
                                            "max.message.bytes",
                                            "min.cleanable.dirty.ratio",
                                            "min.compaction.lag.ms",
                                            "preallocate",
                                            "remote.storage.enable",
                                            "retention.bytes",
                                            "retention.ms",
                                            "segment.bytes",
                                            "segment.index.bytes",
                                            "segment.jitter.ms",
                                            "segment.ms"};
  if (std::ranges::count(of_one_cluster, name) > 0)
    return {"is a matter of each cluster, and not synchronised", "set it on the targets yourself"};
  if (std::ranges::count(all, name) > 0) return {};
  const auto meant = flow::spelling::nearest(name, all);
  return {"is no setting of a topic",
          meant.empty() ? "use those of Kafka, such as retention.ms" : "did you mean " + meant + "?"};
}

bool settings::topic_settings::reads_again(const std::string& pattern, const std::string& home) const {
  return flow::leads_back(pattern, include, home, {include, exclude}).has_value();
}

void settings::event_settings::check(flow::problems& found) const {
  if (!rules) {
    for (const std::string* pointer : {&source, &type}) {
      for (const auto& wrong : flow::json::at(*pointer).exists().flaws()) found.at(*pointer, wrong.text, wrong.remedy);
      if (pointer->empty())
        found.at(*pointer, "the whole value is never in a list of texts", "point to a member of it, such as /source");
    }
    if (critical_sources.empty() && consistency_types.empty())
      found.at(*this, "no event is of interest",
               "name some in critical_sources or consistency_types, or leave events out to replicate all");
    return;
  }
  const event_settings untouched;
  const auto refuse = [&](const auto& value, const auto& otherwise) {
    if (value != otherwise) found.at(value, "this means nothing beside rules", "leave it out, or write it as a rule");
  };
  refuse(source, untouched.source), refuse(type, untouched.type);
  refuse(critical_sources, untouched.critical_sources), refuse(consistency_types, untouched.consistency_types);
  check_order(found);
}

void settings::event_settings::check_order(flow::problems& found) const {
  std::set<std::string> names;
  const event_rule* last = nullptr;
  for (const auto& each : *rules) {
    if (!names.insert(each.name).second)
      found.at(each.name, "rule " + each.name + " is there twice", "give it another name");
    if (last)
      found.at(each, "this rule is never asked, since rule " + last->name + " above it decides about every event",
               "move it up, or give that one a condition");
    const bool acts = (each.action && found.accepted(each.action)) || (each.route && found.accepted(each.route));
    if (!last && acts && !each.when && found.accepted(each) && found.accepted(each.when) && found.accepted(each.name))
      last = &each;
  }
  if (rules->empty()) {
    found.at(rules, "there is no rule", "add one, such as {name: rest, action: include}, or remove this");
  } else if (std::ranges::all_of(*rules, [](const event_rule& each) { return each.action == action::exclude; })) {
    found.at(rules, "no rule includes anything", "add one, such as {name: rest, action: include} for what is left");
  }
}

flow::rules settings::event_settings::in_force() const {
  flow::rules made;
  if (tombstones == tombstones::drop) made.drop_tombstones();
  if (malformed == malformed::replicate) made.include_malformed();
  if (!rules)
    made.include("business-events",
                 flow::json::at(source).any_of(critical_sources) || flow::json::at(type).any_of(consistency_types));
  for (const auto& each : rules.value_or(std::vector<event_rule>{})) {
    const auto when = each.when ? each.when->rule() : flow::rule{};
    if (each.route) {
      made.route(each.name, when);
    } else if (each.action == action::include) {
      made.include(each.name, when);
    } else {
      made.exclude(each.name, when);
    }
  }
  return made;
}

void settings::dedup_settings::check(flow::problems& found) const {
  for (const auto& wrong : flow::json::at(id).flaws()) found.at(id, wrong.text, wrong.remedy);
  if (id.empty()) found.at(id, "the whole value is never an id", "point to a member of it, such as /id");
  if (window <= std::chrono::milliseconds{0} || window > std::chrono::hours{366 * 24})
    found.at(window, "the window has no length that makes sense", "give one of up to 366d, such as 24h");
}

void settings::failure_settings::check(flow::problems& found) const {
  if (retries < 0) found.at(retries, "less than no retries", "give 0 or more");
  if (backoff.from <= std::chrono::milliseconds{0} || backoff.to < backoff.from)
    found.at(backoff, "the pauses do not grow from from to to", "give two times, such as {from: 100ms, to: 30s}");
}

flow::policy settings::failure_settings::in_force() const {
  const auto last = policy == last_resort::skip          ? flow::skip
                    : policy == last_resort::dead_letter ? flow::dead_letter(dead_letter)
                    : policy == last_resort::park_key    ? flow::park_key(dead_letter)
                                                         : flow::stop;
  return retries == 0 ? last : flow::retry(retries, {backoff.from, backoff.to}).then(last);
}

flow::app_options settings::options() const {
  auto made = app_settings::options();
  if (dedup) made.dedup_memory = dedup->memory.bytes, made.share_seen = dedup->shared;
  return made;
}

flow::policy settings::for_malformed() const {
  switch (when_malformed()) {
    case malformed::skip:
      return flow::skip;
    case malformed::dead_letter:
      return flow::dead_letter(on_failure.dead_letter);
    case malformed::replicate:
    case malformed::stop:
      break;
  }
  return flow::stop;
}

std::vector<settings::way> settings::ways() const {
  std::vector<way> all{{"regions", topics.rename}};
  if (events && events->rules)
    for (const auto& each : *events->rules)
      if (each.route) all.push_back({each.sink(), *each.route});
  return all;
}

void settings::check(flow::problems& found) const {
  app_settings::check(found);
  require_clusters(found);
  if (targets.empty()) found.at(targets, "there is no target", "name at least one of the clusters");
  std::set<std::string> seen;
  for (const auto& target : targets) {
    check_cluster(target, "target", found);
    if (!seen.insert(target).second) found.at(target, "target " + target + " is named twice", "name it once");
    if (target == home && topics.reads_again(topics.rename, home))
      found.at(target, "target " + target + " is the home cluster, and what is written there would be read again",
               "take it out of targets, or rename topics to what is not included");
    if (target == home && events && events->rules)
      for (const auto& each : *events->rules)
        if (each.route && topics.reads_again(*each.route, home))
          found.at(each.route,
                   "rule " + each.name + " routes to what would be read again, since home is a target as well",
                   "route to a topic that is not included");
  }
}

}  // namespace replicator
