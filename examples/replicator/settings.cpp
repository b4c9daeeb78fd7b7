#include "settings.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

#include <flow/json.hpp>
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

bool settings::topic_settings::reads_again(const std::string& home) const {
  return flow::leads_back(rename, include, home, {include, exclude}).has_value();
}

void settings::event_settings::check(flow::problems& found) const {
  for (const std::string* pointer : {&source, &type}) try {
      flow::json::at(*pointer);
    } catch (const std::invalid_argument& wrong) {
      found.at(*pointer, wrong.what());
    }
  if (critical_sources.empty() && consistency_types.empty())
    found.at(*this, "no event is of interest",
             "name some in critical_sources or consistency_types, or leave events out to replicate all");
}

void settings::check(flow::problems& found) const {
  app_settings::check(found);
  require_clusters(found);
  if (targets.empty()) found.at(targets, "there is no target", "name at least one of the clusters");
  std::set<std::string> seen;
  for (const auto& target : targets) {
    check_cluster(target, "target", found);
    if (!seen.insert(target).second) found.at(target, "target " + target + " is named twice", "name it once");
    if (target == home && topics.reads_again(home))
      found.at(target, "target " + target + " is the home cluster, and what is written there would be read again",
               "take it out of targets, or rename topics to what is not included");
  }
}

}  // namespace replicator
