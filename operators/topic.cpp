#include <flow/topic.hpp>

#include <algorithm>
#include <stdexcept>

#include "pattern.hpp"

#include <flow/topic_selection.hpp>

namespace flow {

bool is_topic_name(std::string_view name) {
  constexpr std::string_view legal = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  return !name.empty() && name.size() <= 249 && name != "." && name != ".." &&
         name.find_first_not_of(legal) == std::string_view::npos;
}

bool is_internal_topic(std::string_view name) {
  return name.ends_with(".internal") || name.starts_with("__");
}

namespace {

std::string internal_topic(std::string_view application, std::string_view home, std::string_view node,
                           std::string_view what) {
  std::string name;
  for (const auto part : {application, home, node}) name.append(part).append(".");
  return name.append(what).append(".internal");
}

}  // namespace

std::string own_topic(std::string_view application, std::string_view home, std::string_view node) {
  return internal_topic(application, home, node, "records");
}

std::string changelog_topic(std::string_view application, std::string_view home, std::string_view node) {
  return internal_topic(application, home, node, "changelog");
}

void check_topic_name(std::string_view name) {
  if (!is_topic_name(name)) throw std::invalid_argument{"'" + std::string{name} + "' is no name for a topic"};
  if (is_internal_topic(name))
    throw std::invalid_argument{"'" + std::string{name} + "' is the name of an internal topic"};
}

struct topic_selection::entries {
  std::vector<std::string> names;
  std::vector<pattern> patterns;

  explicit entries(const std::vector<std::string>& all) {
    for (const std::string& entry : all) {
      if (is_topic_name(entry)) {
        names.push_back(entry);
      } else {
        add_pattern(entry);
      }
    }
  }

  void add_pattern(const std::string& text) {
    // What has no operator matches itself alone, and that is no name. Settings have an empty text for what was refused.
    constexpr std::string_view operators = "\\.*+?()[]{}|^$";
    const bool can_match = text.empty() || text.find_first_of(operators) != std::string::npos;
    if (!can_match || !patterns.emplace_back(text).wrong().empty())
      throw std::invalid_argument{"'" + text + "' is neither the name of a topic nor a regular expression"};
  }

  bool match(std::string_view topic) const {
    return std::ranges::find(names, topic) != names.end() ||
           std::ranges::any_of(patterns, [&](const pattern& each) { return each.matches(topic); });
  }
};

topic_selection::topic_selection(const std::vector<std::string>& include, const std::vector<std::string>& exclude)
    : include_{std::make_shared<const entries>(include)}, exclude_{std::make_shared<const entries>(exclude)} {}

topic_selection::topic_selection(const source_spec& what, std::string_view application, std::string_view home)
    : topic_selection{what.through.empty() ? what.include : std::vector{own_topic(application, home, what.through)},
                      what.exclude} {
  is_own_ = !what.through.empty();
}

bool topic_selection::contains(std::string_view topic) const {
  return is_internal_topic(topic) == is_own_ && include_->match(topic) && !exclude_->match(topic);
}

std::string topic_by_pattern(std::string_view pattern, std::string_view topic, std::string_view source) {
  std::string name;
  while (!pattern.empty()) {
    const auto replace = [&](std::string_view placeholder, std::string_view by) {
      if (!pattern.starts_with(placeholder)) return false;
      name += by;
      pattern.remove_prefix(placeholder.size());
      return true;
    };
    if (replace("{topic}", topic) || replace("{source}", source)) continue;
    name += pattern.front();
    pattern.remove_prefix(1);
  }
  return name;
}

std::optional<std::string> leads_back(std::string_view pattern, const std::vector<std::string>& include,
                                      std::string_view source, const topic_selection& read) {
  for (const std::string& entry : include) {
    const bool is_name = is_topic_name(entry);
    if (!is_name && pattern == "{topic}") return entry;
    for (const std::string& topic : is_name ? std::vector{entry} : std::vector<std::string>{"any", entry})
      if (auto made = topic_by_pattern(pattern, topic, source); read.contains(made)) return made;
  }
  return std::nullopt;
}

}  // namespace flow
