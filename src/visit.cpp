#include "visit.hpp"

#include <algorithm>
#include <chrono>

#include <flow/spelling.hpp>
#include <flow/topic.hpp>

namespace flow {
namespace {

using namespace std::chrono_literals;

// So long it may take until a cluster answers.
constexpr auto patience = 15s;

}  // namespace

engine::names names_of(const plan& replay, const std::string& cluster, const std::string& lanes) {
  return {replay.application(), cluster, lanes};
}

std::set<std::pair<std::string, std::string>> sites_of(const plan& replay, const std::string& cluster) {
  std::set<std::pair<std::string, std::string>> all;
  for (const auto& sink : replay.sinks())
    for (const auto& each : sink.clusters) all.emplace(each == home ? cluster : each, sink.lanes);
  return all;
}

visit::visit(std::shared_ptr<const plan> what, const app_options& how, const std::vector<std::string>& others)
    : what_{std::move(what)}, how_{how}, others_{others}, asked_{how, patience} {}

std::string visit::alias(const std::string& cluster) const {
  return cluster == how_.home ? std::string{home} : cluster;
}

std::vector<std::string> visit::clusters() const {
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

std::vector<pass> visit::passes_on(const std::string& cluster) const {
  std::vector<pass> all;
  if (cluster == how_.home) all.push_back({cluster, letter_kind::failed});
  const auto may_be_refused = [&](const sink_spec& sink) {
    return !sink.takes_letters && (!others_.empty() || sink.on_failure.what() == policy::kind::dead_letter) &&
           std::ranges::count(sink.clusters, alias(cluster)) > 0;
  };
  const bool refuses = std::ranges::any_of(what_->sinks(), may_be_refused) || parks_on(cluster);
  if (refuses) all.push_back({cluster, letter_kind::refused});
  return all;
}

bool visit::parks_on(const std::string& cluster) const {
  return std::ranges::any_of(what_->parking(), [&](const parking_spec& each) {
    return std::ranges::count(what_->sinks()[each.letters].clusters, alias(cluster)) > 0;
  });
}

result<std::map<topic_partition, engine::parking>> visit::parked_on(const std::string& cluster) {
  std::map<topic_partition, engine::parking> found;
  if (!parks_on(cluster)) return found;
  const auto known = at(cluster).positions(own_names());
  if (!known) return tl::unexpected{known.error()};
  for (const auto& each : *known)
    for (const auto& [source, place] : each.sources) found.emplace(source, place.parked);
  return found;
}

result<std::vector<topic_partition>> visit::partitions(const std::string& cluster) {
  const auto topics = at(cluster).topics();
  if (!topics) return tl::unexpected{topics.error()};
  std::map<std::string, std::int32_t> counts;
  std::vector<std::string> names;
  for (const auto& each : *topics) counts[each.name] = each.partitions, names.push_back(each.name);
  std::vector<topic_partition> found;
  topics_.insert(topics_.end(), names.begin(), names.end());
  auto of_letters = letter_topics(*what_, how_.home, cluster, names, others_);
  std::ranges::sort(of_letters);
  for (const auto& topic : of_letters)
    for (std::int32_t number = 0; number < counts[topic]; ++number) found.push_back({topic, number});
  return found;
}

result<void> visit::check_others() const {
  for (const auto& name : others_) {
    if (!is_topic_name(name) || std::ranges::count(topics_, name) > 0) continue;
    const auto meant = spelling::nearest(name, topics_);
    return fail(failure_kind::missing, name + " is no topic on any cluster that was asked",
                meant.empty() ? "name the topics of letters by what they are called, or by a pattern as \"{topic}.dlq\""
                              : "did you mean " + meant + "?");
  }
  return {};
}

result<void> visit::check_node(const std::string& name) const {
  std::vector<std::string> names;
  for (const auto& each : what_->nodes()) names.push_back(each.name);
  if (std::ranges::count(names, name) > 0) return {};
  const auto meant = spelling::nearest(name, names);
  return fail(failure_kind::missing, "the topology has no node " + name + ", and there is no letter of one",
              meant.empty() ? "its nodes are " + spelling::either(names) : "did you mean " + meant + "?");
}

result<void> visit::reach(const plan& replay, const pass& which) {
  for (const auto& [cluster, lanes] : sites_of(replay, which.cluster))
    if (const auto id = at(cluster).identify(); !id)
      return fail(id.error().kind, cluster + " cannot be reached: " + to_string(id.error()),
                  "start the replay when it can; only one that goes away later is waited for");
  return {};
}

std::shared_ptr<const plan> visit::replay(const pass& which, const std::map<topic_partition, inquiry::range>& there,
                                          bool pass_over_strangers) const {
  replay_options how{.application = how_.application,
                     .home = how_.home,
                     .cluster = which.cluster,
                     .kind = which.kind,
                     .until = {},
                     .pass_over_strangers = pass_over_strangers};
  for (const auto& [where, range] : there) how.until[where] = range.second;
  return replay_of(what_, std::move(how));
}

result<std::map<topic_partition, std::int64_t>> visit::places(const plan& replay, const pass& which,
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

}  // namespace flow
