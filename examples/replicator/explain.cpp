#include "explain.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iostream>
#include <stdexcept>
#include <system_error>
#include <tuple>
#include <vector>

#include <flow/json.hpp>
#include <flow/topic.hpp>
#include <flow/topic_selection.hpp>

#include "sync.hpp"

namespace replicator {
namespace {

[[noreturn]] void refuse_topic(std::string text, std::string remedy) {
  throw flow::configuration_error{{{{"--topic", 0, 0}, std::move(text), std::move(remedy)}}};
}

std::string topic_of(const settings& s, const explain_options& about) {
  if (!about.topic.empty()) {
    if (!flow::topic_selection{s.topics.include, s.topics.exclude}.contains(about.topic))
      refuse_topic("topic " + about.topic + " is not replicated, by topics.include and topics.exclude",
                   "name one that is");
    return about.topic;
  }
  const auto named = std::ranges::find_if(s.topics.include, flow::is_topic_name);
  if (named == s.topics.include.end())
    refuse_topic("it is not known where the events are from, since topics.include names no topic, only patterns",
                 "name one of those that are replicated");
  return *named;
}

/// What becomes of the events of one topic.
class explanation {
 public:
  explanation(const settings& s, const explain_options& about)
      : settings_{s}, about_{about}, topic_{topic_of(s, about)} {
    if (s.events) rules_ = s.events->in_force();
    for (const auto& way : s.ways()) topics_.push_back(flow::topic_by_pattern(way.rename, topic_, s.home));
    if (s.dedup) id_.emplace(s);
    for (const auto& [key, value] : about.headers) headers_.push_back({key, value});
  }

  std::string of(const std::string& event) const try {
    if (!rules_) {
      look_for_id(event);
      return "replicated to " + topics_[0] + " (there are no rules)";
    }
    const auto [by, way] = rules_->judge(record_of(event));
    const auto decider = rules_->deciders()[by];
    if (decider == "malformed")
      return "replicated to " + topics_[*way] + " (malformed, and events.malformed is replicate)";
    if (way) look_for_id(event);
    return (way ? "replicated to " + topics_[*way] : "not replicated") +
           (decider == "otherwise" ? " (no rule is true of it)" : " (rule " + decider + ")");
  } catch (const flow::json::malformed& why) {
    return "malformed, and events.malformed is " + flow::scalar<malformed>::write(settings_.when_malformed()) + " (" +
           why.what() + ")";
  }

 private:
  flow::record<flow::bytes, flow::bytes> record_of(const std::string& event) const {
    const auto key = about_.key ? flow::bytes{*about_.key} : flow::bytes{};
    return {flow::slot<flow::bytes>{key}, flow::slot<flow::bytes>{event}, -1, headers_, from_};
  }
  // A dedup reads the value too.
  void look_for_id(const std::string& event) const {
    if (id_) std::ignore = (*id_)(record_of(event));
  }

  const settings& settings_;
  const explain_options& about_;
  std::string topic_;
  std::optional<flow::rules> rules_;
  std::optional<event_id> id_;
  std::vector<std::string> topics_;  // of each way
  std::vector<flow::header> headers_;
  flow::origin from_{.topic = topic_};
};

}  // namespace

int explain(const settings& s, const explain_options& about, flow::invocation& terminal) {
  const explanation explained{s, about};
  std::string event;
  for (std::size_t line = 1; std::getline(std::cin, event); ++line)
    terminal.out << line << ": " << explained.of(event) << '\n';
  // A stream that is synchronised with stdio takes what cannot be read for its end.
  if (std::ferror(stdin) == 0) return 0;
  throw std::runtime_error{"the events cannot be read: " + std::generic_category().message(errno) +
                           " (give them as standard input)"};
}

}  // namespace replicator
