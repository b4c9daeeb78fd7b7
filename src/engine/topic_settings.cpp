#include "topic_settings.hpp"

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "new_topics.hpp"

#include <flow/topic.hpp>

namespace flow::engine {
namespace {

using namespace std::chrono_literals;
using topics = std::vector<port::topic_description>;

constexpr auto until_there_are_lanes = 1s;
constexpr std::string_view largest_record = "max.message.bytes";

}  // namespace

bool topic_settings::follows(std::uint32_t sink) const {
  const auto& spec = at_.topology.sinks()[sink];
  return (at_.sinks >> sink & 1) && spec.names == sink_spec::naming::pattern &&
         (spec.takes_letters ? sizes_are_followed() : !spec.sync_settings.empty());
}

bool topic_settings::sizes_are_followed() const {
  return std::ranges::any_of(at_.topology.sinks(), [](const auto& each) {
    return std::ranges::count(each.sync_settings, largest_record) > 0;
  });
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

// A topic that several lead to has nobody to follow, unless it only has to be large enough.
std::map<std::string, topic_settings::wanted> topic_settings::all_wanted() const {
  const auto& sinks = at_.topology.sinks();
  const auto mine = in_charge_();
  std::map<std::string, wanted> all;
  for (std::uint32_t i = 0; i < sinks.size(); ++i) {
    if (!follows(i)) continue;
    for (const auto& from : at_.reading.sources()) {
      if (is_internal_topic(from->where.topic) || !lead_to(sinks[i], from->entries)) continue;
      auto& into = all[topic_of(sinks[i], at_.names, from->called)];
      into.like.insert(from->where.topic);
      into.settings.insert(sinks[i].sync_settings.begin(), sinks[i].sync_settings.end());
      into.takes_letters = into.takes_letters || sinks[i].takes_letters;
    }
  }
  for (auto& [name, how] : all)
    if (how.like.size() > 1) how.settings.clear();
  std::erase_if(all, [&](const auto& each) {
    return !mine.contains(*each.second.like.begin()) || (each.second.settings.empty() && !each.second.takes_letters);
  });
  return all;
}

task<result<bool>> topic_settings::look() {
  const auto all = all_wanted();
  std::vector<std::string> models, names;
  for (const auto& [name, how] : all) {
    names.push_back(name);
    models.insert(models.end(), how.like.begin(), how.like.end());
  }
  auto at_home = co_await answer<topics>(
      at_.loop, [&](auto done) { at_.reading.home().describe_topics(models, std::move(done)); });
  if (!at_home) co_return tl::unexpected{at_home.error()};
  auto here =
      co_await answer<topics>(at_.loop, [&](auto done) { at_.cluster.describe_topics(names, std::move(done)); });
  if (!here) co_return tl::unexpected{here.error()};
  bool any = false;
  for (const auto& topic : *here) {
    const auto& how = all.at(topic.name);
    const auto other = missing(topic, how, *at_home);
    if (other.empty()) continue;
    auto changed = co_await answer<void>(
        at_.loop, [&](auto done) { at_.cluster.change_settings(topic.name, other, std::move(done)); });
    if (!changed) {
      complain(topic.name, changed.error());
      continue;
    }
    any = true;
    for (const auto& [name, value] : other)
      at_.log(severity::info, at_.name + ": " + topic.name + ": " + name + " is " + value + " now, as " +
                                      (how.takes_letters ? "is needed for what is larger at home" : "at home"));
  }
  co_return any;
}

topic_settings::values topic_settings::missing(const port::topic_description& topic, const wanted& how,
                                               const std::vector<port::topic_description>& at_home) {
  values other;
  for (const auto& model : at_home) {
    if (!how.like.contains(model.name)) continue;
    for (const auto& name : how.settings) {
      const auto wanted = model.settings.find(name);
      const auto is = topic.settings.find(name);
      if (wanted == model.settings.end() || is == topic.settings.end()) {
        complain(topic.name, {failure_kind::missing, "a topic has no setting " + name, "take it out of what follows"});
      } else if (wanted->second != is->second) {
        other.insert(*wanted);
      }
    }
  }
  if (!how.takes_letters) return other;
  std::uint64_t needed = 0;
  for (const auto& model : at_home)
    if (how.like.contains(model.name)) needed = std::max(needed, largest_letter(model));
  const std::string name{largest_record};
  const auto takes = topic.settings.find(name);
  if (takes != topic.settings.end() && std::strtoull(takes->second.c_str(), nullptr, 10) < needed)
    other[name] = std::to_string(needed);
  return other;
}

void topic_settings::complain(const std::string& topic, const failure& why) {
  if (heals(why.kind)) return;
  if (said_.emplace(topic, why.text).second)
    at_.log(severity::warn,
            at_.name + ": the settings of " + topic + " do not follow those at home: " + to_string(why));
}

}  // namespace flow::engine
