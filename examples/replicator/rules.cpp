#include "rules.hpp"

#include <algorithm>
#include <cctype>

#include <flow/json.hpp>
#include <flow/label.hpp>
#include <flow/topic.hpp>
#include <flow/topic_selection.hpp>

namespace flow {
namespace {

bool is_number(const literal& value) {
  return (topic_name() == value).flaws().empty();
}

// Somebody may have meant a number, or a text: 007, 1.2.3, .5, 2024-02-29.
bool looks_like_a_number(std::string_view text) {
  const auto first = text.find_first_not_of("+-.");
  return first <= 2 && first < text.size() && std::isdigit(static_cast<unsigned char>(text[first]));
}

bool looks_like_a_truth_value(std::string_view text) {
  constexpr std::string_view words[] = {"True", "TRUE", "False", "FALSE"};
  return std::ranges::find(words, text) != std::end(words);
}

}  // namespace

complaint scalar<literal>::read(std::string_view text, literal& out) {
  if (text == "true" || text == "false") return out = literal{text == "true"}, complaint{};
  if (auto number = literal::number(std::string{text}); is_number(number)) return out = std::move(number), complaint{};
  if (looks_like_a_number(text) || looks_like_a_truth_value(text))
    return {"is no number, true or false as JSON writes them",
            "write it as JSON does, or put it in quotes if it is a text"};
  return out = literal{text}, complaint{};
}

}  // namespace flow

namespace replicator {
namespace {

constexpr std::string_view header = "header ";

std::optional<flow::subject> subject(const std::string& at) {
  if (at == "key") return flow::key_bytes();
  if (at == "topic") return flow::topic_name();
  if (at.starts_with(header) && at.size() > header.size()) return flow::header_value(at.substr(header.size()));
  if (at.empty() || at.starts_with('/')) return flow::json::at(at);
  return std::nullopt;
}

}  // namespace

flow::rule condition::rule() const {
  std::vector<flow::rule> both;
  if (const auto it = subject(at.value_or("")); at && it) {
    if (exists) both.push_back(*exists ? it->exists() : !it->exists());
    if (is) both.push_back(*it == *is);
    if (is_not) both.push_back(*it != *is_not);
    if (below) both.push_back(*it < *below);
    if (at_most) both.push_back(*it <= *at_most);
    if (above) both.push_back(*it > *above);
    if (at_least) both.push_back(*it >= *at_least);
    if (any_of) both.push_back(it->any_of(*any_of));
    if (matches) both.push_back(it->matches(*matches));
  }
  if (all)
    for (const auto& each : *all) both.push_back(each.rule());
  if (any && !any->empty()) {
    auto one = any->front().rule();
    for (auto each = any->begin() + 1; each != any->end(); ++each) one = one || each->rule();
    both.push_back(one);
  }
  if (none)
    for (const auto& each : *none) both.push_back(!each.rule());
  flow::rule made;
  for (const auto& each : both) made = made && each;
  return made;
}

void condition::check(flow::problems& found) const {
  const bool asks = exists || is || is_not || below || at_most || above || at_least || any_of || matches;
  const auto it = subject(at.value_or(""));
  if (asks && !at)
    found.at(*this, "it is not said what this asks about",
             "add \"at: /...\", a JSON pointer, or header NAME, key or topic");
  if (at && !it)
    found.at(at, *at + " is no JSON pointer, and not header NAME, key or topic",
             (*at == "header" ? "write header and its name, or /" : "write /") + *at + " for a member of the value");
  if (at && !asks && found.accepted(*this))
    found.at(at, "nothing is asked about " + *at,
             "add exists: true, is: ..., any_of: [...], matches: ... or a comparison; null is nothing to compare with");
  if (!asks && !at && !all && !any && !none)
    found.at(*this, "there is no condition in this, so it would be true of every event", "add one, or leave it out");
  if (at && it)
    for (const auto& wrong : it->exists().flaws()) found.at(at, wrong.text, wrong.remedy);
  const bool compares = is || below || at_most || above || at_least || any_of || matches;
  if (at && at->empty() && compares)
    found.at(at, "the whole value is never a text, a number or a truth value",
             "point to a member of it, such as /type, or ask whether it exists");
  if (matches)
    for (const auto& wrong : flow::topic_name().matches(*matches).flaws()) found.at(matches, wrong.text, wrong.remedy);
  if (any_of && any_of->empty())
    found.at(any_of, "any_of names nothing, so it would never hold", "name what it may be");
  for (const auto* list : {&all, &any, &none})
    if (*list && (*list)->empty()) found.at(*list, "there is no condition in this list", "add one, or leave it out");
  for (const auto* limit : {&below, &at_most, &above, &at_least})
    if (*limit && (*limit)->is() == flow::literal::kind::boolean)
      found.at(*limit, (*limit)->spelled() + " has no order", "compare with a number or a text, or ask with is");
}

void event_rule::check(flow::problems& found) const {
  if (!action && !route && found.accepted(*this))
    found.at(name, "rule " + name + " does nothing",
             "add \"action: include\", \"action: exclude\" or \"route: TOPIC\"");
  if (action && route) found.at(route, "rule " + name + " has a route beside an action", "keep one of them");
}

flow::complaint event_rule::check_name(const std::string& name) {
  if (name == "tombstones" || name == "otherwise" || name == "malformed")
    return {"stands for what no rule decides about", "give the rule another name"};
  if (!flow::is_name(event_rule{.name = name}.sink()))
    return {"cannot be the name of a rule", "use 1 to 92 letters, digits, dots, dashes or underscores"};
  return {};
}

}  // namespace replicator
