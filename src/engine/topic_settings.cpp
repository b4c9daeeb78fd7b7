#include "topic_settings.hpp"

#include <algorithm>
#include <vector>

#include <flow/topic.hpp>

namespace flow::engine {
namespace {

using namespace std::chrono_literals;
using topics = std::vector<port::topic_description>;

constexpr auto until_there_are_lanes = 1s;

}  // namespace

bool topic_settings::follows(std::uint32_t sink) const {
  const auto& spec = at_.topology.sinks()[sink];
  return (at_.sinks >> sink & 1) && spec.names == sink_spec::naming::pattern && !spec.sync_settings.empty();
}

bool topic_settings::are_followed() const {
  for (std::uint32_t i = 0; i < at_.topology.sinks().size(); ++i)
    if (follows(i)) return true;
  return false;
}

task<void> topic_settings::follow() {
  for (;;) {
    while (in_charge_().empty()) co_await at_.loop.sleep(until_there_are_lanes);
    auto changed = co_await look();
    // Routes know what a topic takes.
    if (changed && *changed) co_await outputs_.prepare_routes();
    co_await at_.loop.sleep(at_.options.sync_settings_every);
  }
}

// A topic that several lead to has nobody to follow.
std::map<std::string, topic_settings::wanted> topic_settings::all_wanted() const {
  const auto& sinks = at_.topology.sinks();
  const auto mine = in_charge_();
  std::map<std::string, wanted> all;
  std::set<std::string> shared;
  for (std::uint32_t i = 0; i < sinks.size(); ++i) {
    if (!follows(i)) continue;
    for (const auto& from : at_.reading.sources()) {
      if (is_internal_topic(from->where.topic) || !lead_to(sinks[i], from->entries)) continue;
      const auto topic = topic_of(sinks[i], at_.names, from->called);
      const auto& into = all.try_emplace(topic, wanted{from->where.topic, {}}).first->second;
      if (into.like != from->where.topic) shared.insert(topic);
      all[topic].settings.insert(sinks[i].sync_settings.begin(), sinks[i].sync_settings.end());
    }
  }
  std::erase_if(all, [&](const auto& each) { return shared.contains(each.first) || !mine.contains(each.second.like); });
  return all;
}

task<result<bool>> topic_settings::look() {
  const auto all = all_wanted();
  std::vector<std::string> models, names;
  for (const auto& [name, how] : all) names.push_back(name), models.push_back(how.like);
  auto at_home = co_await answer<topics>(
      at_.loop, [&](auto done) { at_.reading.home().describe_topics(models, std::move(done)); });
  if (!at_home) co_return tl::unexpected{at_home.error()};
  auto here =
      co_await answer<topics>(at_.loop, [&](auto done) { at_.cluster.describe_topics(names, std::move(done)); });
  if (!here) co_return tl::unexpected{here.error()};
  bool any = false;
  for (const auto& topic : *here) {
    const auto& how = all.at(topic.name);
    const auto model =
        std::find_if(at_home->begin(), at_home->end(), [&](const auto& each) { return each.name == how.like; });
    if (model == at_home->end()) continue;
    std::map<std::string, std::string> other;
    for (const auto& name : how.settings) {
      const auto wanted = model->settings.find(name);
      const auto is = topic.settings.find(name);
      if (wanted == model->settings.end() || is == topic.settings.end()) {
        complain(topic.name, {failure_kind::missing, "a topic has no setting " + name, "take it out of what follows"});
      } else if (wanted->second != is->second) {
        other.insert(*wanted);
      }
    }
    if (other.empty()) continue;
    auto changed = co_await answer<void>(
        at_.loop, [&](auto done) { at_.cluster.change_settings(topic.name, other, std::move(done)); });
    if (!changed) {
      complain(topic.name, changed.error());
      continue;
    }
    any = true;
    for (const auto& [name, value] : other)
      at_.log(severity::info, at_.name + ": " + topic.name + ": " + name + " is " + value + " now, as at home");
  }
  co_return any;
}

void topic_settings::complain(const std::string& topic, const failure& why) {
  if (why.kind == failure_kind::retriable || why.kind == failure_kind::timed_out) return;
  if (said_.emplace(topic, why.text).second)
    at_.log(severity::warn,
            at_.name + ": the settings of " + topic + " do not follow those at home: " + to_string(why));
}

}  // namespace flow::engine
