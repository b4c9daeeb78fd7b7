#include "new_topics.hpp"

#include <algorithm>
#include <cstdlib>
#include <span>

#include <flow/topic.hpp>

namespace flow::engine {
namespace {

constexpr std::string_view passage_segment = "52428800";

// What a topic that is made here takes over from the one it stands for.
constexpr std::string_view copied_settings[] = {"cleanup.policy",  "compression.type",    "max.message.bytes",
                                                "retention.bytes", "retention.ms",        "delete.retention.ms",
                                                "segment.bytes",   "min.compaction.lag.ms"};
// How long something stays on its way says nothing about how long it stays where it goes.
constexpr std::string_view copied_behind_a_passage[] = {"max.message.bytes"};

port::new_topic as_in(const port::topic_description& model, const std::string& name) {
  port::new_topic made{.name = name, .partitions = model.partitions, .settings = {}};
  std::span<const std::string_view> copied{copied_settings};
  if (is_internal_topic(model.name)) copied = copied_behind_a_passage;
  for (const auto key : copied)
    if (const auto& value = setting(model, std::string{key}); !value.empty()) made.settings.emplace(key, value);
  return made;
}

// Whatever was dead-lettered must fit, and stay until somebody has looked at it.
port::new_topic for_letters_of(const port::topic_description& model, const std::string& name) {
  return {.name = name,
          .partitions = model.partitions,
          .settings = {{"cleanup.policy", "delete"},
                       {"retention.ms", "-1"},
                       {"retention.bytes", "-1"},
                       {"max.message.bytes", std::to_string(largest_letter(model))}}};
}

// What is on its way through stays until everybody has read it, and keeps its time.
port::new_topic for_passage_of(const port::topic_description& model, const std::string& name, std::int32_t partitions) {
  auto made = for_letters_of(model, name);
  if (partitions > 0) made.partitions = partitions;
  made.settings.insert({{"message.timestamp.type", "CreateTime"}, {"segment.bytes", std::string{passage_segment}}});
  return made;
}

}  // namespace

const std::string& setting(const port::topic_description& topic, const std::string& name) {
  static const std::string none;
  const auto at = topic.settings.find(name);
  return at == topic.settings.end() ? none : at->second;
}

// With headers of ours beside its own.
std::uint64_t largest_letter(const port::topic_description& of) {
  constexpr std::uint64_t kafkas_default = 1'048'588, room_for_headers = 64u << 10;
  return std::max<std::uint64_t>(std::strtoull(setting(of, "max.message.bytes").c_str(), nullptr, 10), kafkas_default) +
         room_for_headers;
}

std::optional<failure> unfit_for_passage(const port::topic_description& topic, std::int32_t partitions) {
  const auto differs = [&](const char* what, std::string_view wanted) {
    return failure{
        failure_kind::refused,
        topic.name + " is what the application tells itself, and its " + what + " is " + setting(topic, what),
        std::string{"set its "} + what + " to " + std::string{wanted}};
  };
  if (partitions > 0 && topic.partitions != partitions)
    return failure{failure_kind::refused,
                   topic.name + " has " + std::to_string(topic.partitions) + " partitions, and " +
                       std::to_string(partitions) + " are asked for",
                   "ask for as many as it has: keys that are on their way would change places"};
  if (setting(topic, "message.timestamp.type") == "LogAppendTime") return differs("message.timestamp.type", "CreateTime");
  if (setting(topic, "cleanup.policy") != "delete") return differs("cleanup.policy", "delete");
  if (setting(topic, "retention.ms") != "-1") return differs("retention.ms", "-1");
  if (setting(topic, "retention.bytes") != "-1") return differs("retention.bytes", "-1");
  return std::nullopt;
}

port::new_topic made_for(const sink_spec& sink, const port::topic_description& model, const std::string& name) {
  if (sink.takes_letters) return for_letters_of(model, name);
  if (sink.names == sink_spec::naming::own) return for_passage_of(model, name, sink.partitions);
  return as_in(model, name);
}

std::optional<port::topic_description> model_of(const std::vector<port::topic_description>& originals,
                                                const std::string& like, const std::set<std::string>& from) {
  std::optional<port::topic_description> model;
  unsigned long long largest = 0;
  for (const auto& each : originals) {
    if (!from.contains(each.name)) continue;
    largest = std::max(largest, std::strtoull(setting(each, "max.message.bytes").c_str(), nullptr, 10));
    if (each.name == like) model = each;
  }
  if (model && largest > 0) model->settings["max.message.bytes"] = std::to_string(largest);
  return model;
}

}  // namespace flow::engine
