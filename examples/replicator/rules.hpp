#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flow/app_settings.hpp>
#include <flow/rules.hpp>
#include <flow/settings.hpp>

/// A value in a rule: `5` and `true` are a number and a truth value, `"5"` and `"true"` texts.
template <>
struct flow::scalar<flow::literal> {
  static constexpr std::string_view kind = "a text, a number, true or false", example = "EntityCreated";
  static complaint read(std::string_view text, literal& out);
  static complaint read_quoted(std::string_view text, literal& out) { return out = literal{text}, complaint{}; }
  static std::string write(const literal& value) { return value.spelled(); }
};

namespace replicator {

enum class action { include, exclude };

constexpr std::array<std::string_view, 2> words(action) {
  return {"include", "exclude"};
}

/// What an event has to be like: all that is said here.
struct condition {
  std::optional<std::string> at;
  std::optional<bool> exists;
  std::optional<flow::literal> is, is_not, below, at_most, above, at_least;
  std::optional<std::vector<flow::literal>> any_of;
  std::optional<std::string> matches;
  std::optional<std::vector<condition>> all, any, none;

  void bind(auto& b) {
    b("at", at, "what is asked about: a JSON pointer into the value, header NAME, key or topic");
    b("exists", exists, "something is there, be it null; or is not");
    b("is", is, "it is this");
    b("is_not", is_not, "something else is there");
    b("below", below, "it is less");
    b("at_most", at_most, "it is less, or this");
    b("above", above, "it is more");
    b("at_least", at_least, "it is more, or this");
    b("any_of", any_of, "it is one of these");
    b("matches", matches, "a regular expression matches the whole of it");
    b("all", all, "all of these conditions hold");
    b("any", any, "one of them does");
    b("none", none, "none of them does");
  }

  void check(flow::problems& found) const;
  flow::rule rule() const;
};

/// One of the rules of which the first that is true decides.
struct event_rule {
  std::string name;
  std::optional<replicator::action> action{};
  std::optional<std::string> route{};
  std::optional<condition> when{};

  /// Of the node that writes what this routes.
  std::string sink() const { return "regions." + name; }

  void bind(auto& b) {
    b("name", name, "by which it is counted and explained").required().check(check_name);
    b("action", action, "include: the event is replicated; exclude: it is not");
    b("route", route, "the topic that it goes to on the targets instead; {topic} stands for its own")
        .check(flow::checks::sink_topic);
    b("when", when, "what the event has to be like; left out: whatever no rule above has decided about");
  }

  void check(flow::problems& found) const;
  static flow::complaint check_name(const std::string& name);
};

}  // namespace replicator
