#include "settings.hpp"

#include <algorithm>
#include <set>
#include <stdexcept>

#include <flow/json.hpp>

namespace replicator {
namespace {

std::string list_of(const std::map<std::string, flow::cluster_properties>& clusters) {
  std::string names;
  for (const auto& [name, properties] : clusters) names += (names.empty() ? "" : ", ") + name;
  return names.empty() ? "there are none" : "there are " + names;
}

void check_pointer(flow::problems& found, const std::string& text) {
  try {
    flow::json::at(text);
  } catch (const std::invalid_argument& wrong) {
    found.at(text, wrong.what());
  }
}

}  // namespace

void settings::check(flow::problems& found) const {
  const auto known = [&](const std::string& name) {
    return clusters.contains(name) || (name == home && !bootstrap_servers.empty());
  };
  if (!known(home)) found.at(home, "home " + home + " is not among the clusters", "add it there; " + list_of(clusters));
  if (targets.empty()) found.at(targets, "there is no target", "name at least one of the clusters");
  std::set<std::string> seen;
  for (const auto& target : targets) {
    if (!known(target))
      found.at(target, "target " + target + " is not among the clusters", "add it there; " + list_of(clusters));
    if (!seen.insert(target).second) found.at(target, "target " + target + " is named twice", "name it once");
    if (target == home && topics.rename == "{topic}")
      found.at(target, "target " + target + " is the home cluster, and topics keep their names",
               "take it out of targets, or set topics.rename to something else");
  }
  for (const auto& [name, properties] : clusters)
    if (!properties.contains("bootstrap.servers") && !(name == home && !bootstrap_servers.empty()))
      found.at(properties, "cluster " + name + " has no bootstrap.servers", "add them, as \"host:port,host:port\"");
  if (events) {
    check_pointer(found, events->source);
    check_pointer(found, events->type);
  }
}

flow::app_options settings::options() const {
  auto made = app_settings::options();
  if (!bootstrap_servers.empty()) made.clusters[home]["bootstrap.servers"] = bootstrap_servers;
  return made;
}

}  // namespace replicator
