#include <flow/rule.hpp>

#include <algorithm>
#include <charconv>
#include <compare>
#include <cstdlib>
#include <functional>
#include <initializer_list>
#include <set>

#include "decimal.hpp"
#include "formula.hpp"
#include "pattern.hpp"

namespace flow {
namespace {

std::string quoted(std::string_view text) {
  std::string made = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      made += {'\\', c};
    } else if (code < ' ' || code == 127) {
      made += {'\\', static_cast<char>('0' + (code >> 6)), static_cast<char>('0' + (code >> 3 & 7)),
               static_cast<char>('0' + (code & 7))};
    } else {
      made += c;
    }
  }
  return made + '"';
}

std::string written(const literal& value) {
  return value.is() == literal::kind::text ? quoted(value.spelled()) : value.spelled();
}

std::string written(subject::part part, const std::string& name) {
  switch (part) {
    case subject::part::value:
      return "json::at(" + quoted(name) + ")";
    case subject::part::header:
      return "header_value(" + quoted(name) + ")";
    case subject::part::key:
      return "key_bytes()";
    case subject::part::topic:
      return "topic_name()";
  }
  std::abort();
}

// The names that a JSON pointer passes; what is wrong with it goes to `flaws`.
std::vector<std::string> names(std::string_view pointer, std::vector<flaw>& flaws) {
  const auto wrong = [&](std::size_t at, const std::string& why, std::string remedy) {
    flaws.push_back({"JSON pointer '" + std::string{pointer} + "', position " + std::to_string(at) + ": " + why,
                     std::move(remedy)});
  };
  std::vector<std::string> all;
  if (!pointer.empty() && pointer.front() != '/') {
    wrong(0, "a pointer begins with '/'", "write '/" + std::string{pointer} + "'");
    return all;
  }
  for (std::size_t at = 0; at < pointer.size(); ++at) {
    if (pointer[at] == '/') {
      all.emplace_back();
    } else if (pointer[at] != '~') {
      all.back().push_back(pointer[at]);
    } else if (const auto code = pointer.substr(at + 1, 1); code == "0" || code == "1") {
      all.back().push_back(code == "0" ? '~' : '/');
      ++at;
    } else {
      wrong(at, "'~' stands only before 0 and 1", "write '~0' for '~' itself");
    }
  }
  return all;
}

// None if the two are not of one kind.
std::optional<std::strong_ordering> compare(const finding& what, const literal& with) {
  const bool raw = what.is == finding::kind::raw;
  switch (with.is()) {
    case literal::kind::text:
      if (raw || what.is == finding::kind::text) return what.text <=> std::string_view{with.spelled()};
      break;
    case literal::kind::number:
      if (what.is == finding::kind::number || (raw && is_number(what.text)))
        return compare_numbers(what.text, with.spelled());
      break;
    case literal::kind::boolean:
      if (what.is == finding::kind::boolean || (raw && (what.text == "true" || what.text == "false")))
        return what.text <=> std::string_view{with.spelled()};
      break;
  }
  return std::nullopt;
}

// A comparison with none of them is false, but that something else is there is true.
std::function<bool(const finding&)> comparison(std::string_view how, literal with) {
  const auto made = [&](auto holds) {
    return [with = std::move(with), holds](const finding& what) {
      const auto order = compare(what, with);
      return order && holds(*order);
    };
  };
  if (how == "==") return made([](auto order) { return order == 0; });
  if (how == "<") return made([](auto order) { return order < 0; });
  if (how == "<=") return made([](auto order) { return order <= 0; });
  if (how == ">") return made([](auto order) { return order > 0; });
  if (how == ">=") return made([](auto order) { return order >= 0; });
  return [with = std::move(with)](const finding& what) { return compare(what, with) != std::strong_ordering::equal; };
}

void check(const literal& value, std::vector<flaw>& flaws) {
  if (value.is() == literal::kind::number && !is_number(value.spelled()))
    flaws.push_back({"a rule compares with " + value.spelled() + ", which is no number in JSON", "compare with one"});
}

// What `question`, as it is written, asks about a part.
std::shared_ptr<const formula> asked(subject::part part, const std::string& name, const std::string& question,
                                     std::function<bool(const finding&)> holds, std::vector<flaw> flaws = {}) {
  const auto made = std::make_shared<formula>();
  condition what{.part = part, .compares = question.starts_with(' '), .holds = std::move(holds)};
  what.names = part == subject::part::value ? names(name, flaws) : std::vector{name};
  what.written = written(part, name) + question;
  made->flaws = std::move(flaws);
  made->add(std::make_shared<const condition>(std::move(what)));
  made->add(term{term::kind::condition, {0}});
  return made;
}

// Begins with a copy of the first, so that a long chain of rules is not built anew with each.
std::shared_ptr<const formula> combined(term::kind how, const formula& first,
                                        std::initializer_list<const formula*> others = {}) {
  const auto made = std::make_shared<formula>(first);
  term whole{how, {}};
  const auto take = [&](term one) {
    if (one.what == how && how != term::kind::negation) {
      whole.operands.insert(whole.operands.end(), one.operands.begin(), one.operands.end());
    } else {
      whole.operands.push_back(made->terms.size());
      made->terms.push_back(std::move(one));
    }
  };
  take(made->take());
  for (const auto* each : others) take(made->add(*each));
  made->add(std::move(whole));
  return made;
}

// In parentheses where that makes a difference behind `before`.
std::string written(const formula& rule, const term& what, std::string_view before = {}) {
  const auto inner = [&](std::size_t number, std::string_view behind) {
    return written(rule, rule.terms[number], behind);
  };
  if (what.what == term::kind::condition) {
    const auto& asks = *rule.conditions[what.operands.front()];
    return before == "!" && asks.compares ? "(" + asks.written + ")" : asks.written;
  }
  if (what.what == term::kind::negation) return "!" + inner(what.operands.front(), "!");
  if (what.operands.empty()) return "rule{}";
  if (what.operands.size() == 1) return inner(what.operands.front(), before);
  const std::string_view between = what.what == term::kind::either ? " || " : " && ";
  std::string text;
  for (const auto each : what.operands) {
    if (!text.empty()) text += between;
    text += inner(each, between);
  }
  return before.empty() ? text : "(" + text + ")";
}

}  // namespace

literal::literal(double number) : kind_{kind::number} {
  char text[32];
  spelled_.assign(text, std::to_chars(text, text + sizeof text, number).ptr);
}

rule::rule() {
  const auto made = std::make_shared<formula>();
  made->add(term{term::kind::both, {}});
  formula_ = made;
}

std::optional<bool> rule::decide(const evidence& of) const {
  const auto decider = formula_->decide(of);
  return decider ? std::optional{*decider == 0} : std::nullopt;
}

rule operator||(const rule& a, const rule& b) {
  return rule{combined(term::kind::either, *a.formula_, {b.formula_.get()})};
}

rule operator&&(const rule& a, const rule& b) {
  return rule{combined(term::kind::both, *a.formula_, {b.formula_.get()})};
}

rule operator!(const rule& negated) {
  return rule{combined(term::kind::negation, *negated.formula_)};
}

std::string to_string(const rule& what) {
  const auto& all = *what.formula_;
  return written(all, all.terms[all.roots.front()]);
}

std::vector<flaw> rule::flaws() const {
  return formula_->flaws;
}

namespace {

// Where a condition leaves what it has met.
thread_local std::optional<std::string> met;

bool meet(const finding& what) {
  constexpr std::string_view kinds = " tnbr";
  met.reset();
  if (what.is != finding::kind::other) met = kinds[static_cast<std::size_t>(what.is)] + std::string{what.text};
  return true;
}

}  // namespace

subject::subject(part of, std::string name) : part_{of}, name_{std::move(name)}, finder_{asked(part_, name_, "", meet)} {}

std::optional<std::string> subject::find(const evidence& of) const {
  met.reset();
  finder_->decide(of);
  return met && met->size() > 1 ? std::exchange(met, std::nullopt) : std::nullopt;
}

std::vector<flaw> subject::flaws() const { return finder_->flaws; }

std::string subject::text() const { return written(part_, name_); }

rule subject::exists() const {
  return rule{asked(part_, name_, ".exists()", [](const finding&) { return true; })};
}

rule subject::any_of(std::vector<literal> values) const {
  std::string question = ".any_of({";
  std::vector<flaw> flaws;
  std::set<std::string, std::less<>> texts;
  std::vector<literal> others;
  for (auto& each : values) {
    question += (&each == values.data() ? "" : ", ") + written(each);
    check(each, flaws);
    if (each.is() == literal::kind::text) {
      texts.insert(each.spelled());
    } else {
      others.push_back(std::move(each));
    }
  }
  const auto holds = [texts = std::move(texts), others = std::move(others)](const finding& what) {
    const bool is_text = what.is == finding::kind::text || what.is == finding::kind::raw;
    return (is_text && texts.contains(what.text)) || std::ranges::any_of(others, [&](const literal& one) {
             return compare(what, one) == std::strong_ordering::equal;
           });
  };
  return rule{asked(part_, name_, question + "})", holds, std::move(flaws))};
}

rule subject::matches(std::string expression) const {
  const pattern compiled{expression};
  std::vector<flaw> flaws;
  if (const auto wrong = compiled.wrong(); !wrong.empty())
    flaws.push_back({"regular expression '" + expression + "': " + wrong,
                     "mend it, or escape what is meant literally; there are no look-arounds and no back-references"});
  const auto holds = [compiled](const finding& what) {
    return (what.is == finding::kind::text || what.is == finding::kind::raw) && compiled.matches(what.text);
  };
  return rule{asked(part_, name_, ".matches(" + quoted(expression) + ")", holds, std::move(flaws))};
}

rule subject::compared(std::string_view how, const literal& value) const {
  std::vector<flaw> flaws;
  check(value, flaws);
  return rule{
      asked(part_, name_, " " + std::string{how} + " " + written(value), comparison(how, value), std::move(flaws))};
}

}  // namespace flow
