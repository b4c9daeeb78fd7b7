#include "settings.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

#include <flow/json.hpp>
#include <flow/topic.hpp>
#include <flow/topic_selection.hpp>

namespace replicator {

flow::complaint settings::topic_settings::check_entry(const std::string& entry) {
  try {
    flow::topic_selection{{entry}, {}};
    return {};
  } catch (const std::invalid_argument&) {
    return {"is neither the name of a topic nor a regular expression",
            "mend the expression, or escape what is meant literally"};
  }
}

flow::complaint settings::topic_settings::check_rename(const std::string& pattern) {
  if (flow::is_topic_name(flow::topic_by_pattern(pattern, "t", "s"))) return {};
  return {"makes no name for a topic", "use {topic}, {source}, letters, digits, dots, dashes and underscores"};
}

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
  const flow::topic_selection read{include, exclude};
  return rename == "{topic}" || std::ranges::any_of(include, [&](const std::string& entry) {
           return read.contains(flow::topic_by_pattern(rename, entry, home));
         });
}

void settings::event_settings::check(flow::problems& found) const {
  for (const std::string* pointer : {&source, &type})
    for (const auto& wrong : flow::json::at(*pointer).exists().flaws()) found.at(*pointer, wrong.text, wrong.remedy);
  if (critical_sources.empty() && consistency_types.empty())
    found.at(*this, "no event is of interest",
             "name some in critical_sources or consistency_types, or leave events out to replicate all");
}

void settings::check(flow::problems& found) const {
  app_settings::check(found);
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
