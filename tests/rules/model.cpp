#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <random>

#include <flow/rules.hpp>

#include "judged.hpp"

// Random rules on random documents, beside a model that is slow and plain.
namespace flow {
namespace {

/// A JSON value, as the model has it.
struct node {
  enum class kind { null, boolean, number, text, list, object };
  kind is = kind::null;
  std::string text{};                                   // unescaped
  int number = 0;                                       // in quarters
  std::vector<std::pair<std::string, node>> members{};  // of a list without names
};

/// A question, or others combined.
struct formed {
  enum class kind { question, either, both, negation };
  kind is = kind::question;
  std::vector<std::string> names{};
  std::string how{};
  std::vector<node> values{};
  std::vector<formed> parts{};
};

const node* find(const node& in, std::span<const std::string> names) {
  if (names.empty()) return &in;
  for (std::size_t i = 0; i < in.members.size(); ++i)
    if (in.is == node::kind::object ? in.members[i].first == names[0] : std::to_string(i) == names[0])
      return find(in.members[i].second, names.subspan(1));
  return nullptr;
}

bool is_one(const node& found, const std::string& how, const node& value) {
  const bool alike = found.is == value.is;
  const int order = found.is == node::kind::text ? found.text.compare(value.text) : found.number - value.number;
  if (how == "!=") return !alike || order != 0;
  return alike && (how == "=="   ? order == 0
                   : how == "<"  ? order < 0
                   : how == "<=" ? order <= 0
                   : how == ">"  ? order > 0
                                 : order >= 0);
}

bool holds(const formed& rule, const node& in) {
  const auto part = [&](const formed& each) { return holds(each, in); };
  if (rule.is == formed::kind::either) return std::ranges::any_of(rule.parts, part);
  if (rule.is == formed::kind::both) return std::ranges::all_of(rule.parts, part);
  if (rule.is == formed::kind::negation) return !part(rule.parts[0]);
  const node* found = in.is == node::kind::object ? find(in, rule.names) : nullptr;
  if (!found || rule.how == "exists") return found;
  if (rule.how == "matches")
    return found->is == node::kind::text && found->text.find_first_not_of("ab") == std::string::npos;
  return std::ranges::any_of(rule.values, [&](const node& value) { return is_one(*found, rule.how, value); });
}

class maker {
 public:
  explicit maker(std::uint64_t seed) : random_{seed} {}

  node object(int depth) {
    node made{.is = node::kind::object};
    for (int i = pick(5); i > 0; --i) made.members.emplace_back(name(), value(depth - 1));
    return made;
  }

  formed rule(int depth) {
    formed made{.is = depth > 0 ? static_cast<formed::kind>(pick(4)) : formed::kind::question};
    if (made.is != formed::kind::question) {
      for (int i = made.is == formed::kind::negation ? 1 : pick(4); i > 0; --i) made.parts.push_back(rule(depth - 1));
      return made;
    }
    for (int i = pick(4); i > 0; --i) made.names.push_back(name());
    constexpr std::array hows = {"exists", "any_of", "matches", "==", "!=", "<", "<=", ">", ">="};
    made.how = hows[static_cast<std::size_t>(pick(9))];
    for (int i = made.how == "any_of" ? pick(4) : 1; i > 0; --i) made.values.push_back(scalar());
    if (made.how == "any_of") made.how = "==";
    return made;
  }

  std::string spelled(const node& what) {
    switch (what.is) {
      case node::kind::null:
        return "null";
      case node::kind::boolean:
        return what.number ? "true" : "false";
      case node::kind::number:
        return spelled(what.number);
      case node::kind::text:
        return spelled(what.text);
      case node::kind::list:
      case node::kind::object:
        break;
    }
    const bool list = what.is == node::kind::list;
    std::string text = list ? "[" : "{";
    for (const auto& [name, value] : what.members) {
      if (&name != &what.members.front().first) text += ",";
      text += space() + (list ? "" : spelled(name) + space() + ":") + space() + spelled(value) + space();
    }
    return text + space() + (list ? "]" : "}");
  }

  int pick(int choices) { return static_cast<int>(random_() % static_cast<unsigned>(choices)); }

 private:
  std::string space() { return std::string(static_cast<std::size_t>(pick(3)), " \n\t\r"[pick(4)]); }
  std::string name() {
    constexpr std::array names = {"a", "b", "", "0", "1", "a/b", "m~n", "é"};
    return names[static_cast<std::size_t>(pick(8))];
  }
  node scalar() {
    constexpr std::array texts = {"", "a", "ab", "b", "1", "true", "é", "\"\\\n"};
    switch (pick(4)) {
      case 0:
        return {.is = node::kind::boolean, .number = pick(2)};
      case 1:
        return {.is = node::kind::number, .number = pick(17) - 8};
      default:
        return {.is = node::kind::text, .text = texts[static_cast<std::size_t>(pick(8))]};
    }
  }
  node value(int depth) {
    if (depth <= 0 || pick(2)) return pick(8) ? scalar() : node{};
    if (pick(2)) return object(depth);
    node made{.is = node::kind::list};
    for (int i = pick(4); i > 0; --i) made.members.emplace_back("", value(depth - 1));
    return made;
  }

  std::string spelled(int quarters) {
    const auto hundredths = std::to_string(std::abs(quarters) * 25);
    const std::string sign = quarters < 0 ? "-" : "";
    if (pick(2)) return sign + hundredths + (pick(2) ? "e-2" : "E-02");
    const auto padded = std::string(hundredths.size() < 3 ? 3 - hundredths.size() : 0, '0') + hundredths;
    return sign + padded.substr(0, padded.size() - 2) + "." + padded.substr(padded.size() - 2);
  }
  std::string spelled(const std::string& text) {
    std::string quoted = "\"";
    for (const char c : text)
      if (c == '\n') {
        quoted += "\\n";
      } else if (c == '"' || c == '\\') {
        quoted += {'\\', c};
      } else if (c > ' ' && pick(4) == 0) {
        constexpr std::string_view digits = "0123456789abcdef";
        quoted += std::string{"\\u00"} + digits[static_cast<std::size_t>(c >> 4)] + digits[c & 15];
      } else {
        quoted += c;
      }
    return quoted + '"';
  }

  std::mt19937_64 random_;
};

literal literal_of(const node& what) {
  if (what.is == node::kind::boolean) return what.number != 0;
  if (what.is == node::kind::number) return what.number / 4.0;
  return what.text;
}

std::string pointer_of(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) {
    text += '/';
    for (const char c : name) text += c == '~' ? "~0" : c == '/' ? "~1" : std::string{c};
  }
  return text;
}

rule rule_of(const formed& what) {
  switch (what.is) {
    case formed::kind::negation:
      return !rule_of(what.parts[0]);
    case formed::kind::either: {
      auto made = !rule{};
      for (const auto& part : what.parts) made = made || rule_of(part);
      return made;
    }
    case formed::kind::both: {
      auto made = rule{};
      for (const auto& part : what.parts) made = made && rule_of(part);
      return made;
    }
    case formed::kind::question:
      break;
  }
  const auto it = json::at(pointer_of(what.names));
  if (what.how == "exists") return it.exists();
  if (what.how == "matches") return it.matches("[ab]*");
  std::vector<literal> values;
  for (const auto& value : what.values) values.push_back(literal_of(value));
  if (values.size() != 1) return it.any_of(values);
  const auto& value = values[0];
  if (what.how == "==") return it == value;
  if (what.how == "!=") return it != value;
  if (what.how == "<") return it < value;
  if (what.how == "<=") return it <= value;
  return what.how == ">" ? it > value : it >= value;
}

TEST(rules, decide_as_the_model_does) {
  maker make{20240229};
  int yes = 0;
  for (int i = 0; i < 20'000; ++i) {
    const auto formed = make.rule(3);
    const auto rule = rule_of(formed);
    for (int j = 0; j < 5; ++j) {
      const auto document = make.object(4);
      const auto text = make.spelled(document);
      ASSERT_EQ(passes(rule, text), holds(formed, document)) << to_string(rule) << "\n" << text;
      yes += holds(formed, document) ? 1 : 0;
    }
  }
  EXPECT_GT(yes, 20'000);
  EXPECT_LT(yes, 80'000);
}

TEST(rules, let_the_first_decide_that_is_true) {
  maker make{4711};
  for (int i = 0; i < 5'000; ++i) {
    std::vector<formed> all;
    flow::rules list;
    for (int size = 1 + make.pick(6); size > 0; --size) {
      all.push_back(make.rule(2));
      list.exclude("rule-" + std::to_string(all.size()), rule_of(all.back()));
    }
    for (int j = 0; j < 5; ++j) {
      const auto document = make.object(4);
      const auto text = make.spelled(document);
      const auto first = std::ranges::find_if(all, [&](const formed& each) { return holds(each, document); });
      const auto decider = first == all.end() ? "otherwise" : "rule-" + std::to_string(first - all.begin() + 1);
      ASSERT_EQ(list.deciders()[judged{.value = text}.by(list).by], decider) << to_string(list) << "\n" << text;
    }
  }
}

// Whatever stands behind a decision counts for nothing, so a part of a document is decided as the whole, or refused.
TEST(rules, decide_a_document_that_is_cut_off_as_the_whole_or_not_at_all) {
  maker make{7};
  int refused = 0, decided = 0;
  for (int i = 0; i < 2'000; ++i) {
    const auto formed = make.rule(2);
    const auto rule = rule_of(formed);
    const auto document = make.object(3);
    const auto text = make.spelled(document);
    for (std::size_t size = 0; size < text.find_last_not_of(" \n\t\r"); ++size) {
      const auto part = text.substr(0, size);
      if (const auto why = refusal(rule, part); !why.empty()) {
        ++refused;
      } else {
        ++decided;
        ASSERT_EQ(passes(rule, part), holds(formed, document)) << to_string(rule) << "\n" << part;
      }
    }
  }
  EXPECT_GT(refused, 10'000);
  EXPECT_GT(decided, 1'000);
}

TEST(rules, survive_any_bytes) {
  maker make{11};
  constexpr std::string_view garbage = "{}[]\",:\\/u0d8-.etrfn \x01\x7f\xc3\xff";
  for (int i = 0; i < 5'000; ++i) {
    const auto rule = rule_of(make.rule(2));
    auto text = make.spelled(make.object(3));
    for (int edits = make.pick(6); edits > 0; --edits)
      text.insert(static_cast<std::size_t>(make.pick(static_cast<int>(text.size()) + 1)), 1,
                  garbage[static_cast<std::size_t>(make.pick(static_cast<int>(garbage.size())))]);
    const auto why = refusal(rule, text);
    ASSERT_TRUE(why.empty() || why.starts_with("not JSON at byte ")) << text;
    const auto twice = refusal(rule, text);
    ASSERT_EQ(why, twice) << text;
  }
}

TEST(pointers, of_any_bytes_are_places_or_flaws) {
  maker make{13};
  constexpr std::string_view bytes = "/~012ab\xff\n\"";
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (int size = make.pick(8); size > 0; --size)
      text += bytes[static_cast<std::size_t>(make.pick(static_cast<int>(bytes.size())))];
    bool good = text.empty() || text[0] == '/';
    for (std::size_t at = text.find('~'); at != std::string::npos; at = text.find('~', at + 1))
      good = good && at + 1 < text.size() && (text[at + 1] == '0' || text[at + 1] == '1');
    const auto rule = json::at(text).exists();
    ASSERT_EQ(rule.flaws().empty(), good) << text;
    ASSERT_EQ(good && passes(rule, "{}"), text.empty()) << text;
  }
}

}  // namespace
}  // namespace flow
