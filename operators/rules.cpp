#include <flow/rules.hpp>

#include <algorithm>
#include <set>
#include <string_view>

#include <flow/json.hpp>

#include "formula.hpp"

namespace flow {
namespace {

// What is counted where no rule has decided.
constexpr std::string_view undecided = "tombstones";
constexpr std::string_view unmatched = "otherwise";
constexpr std::string_view unreadable = "malformed";

std::string quoted(std::string_view name) {
  return "'" + std::string{name} + "'";
}

}  // namespace

rules::rules() : formula_{std::make_shared<formula>()} {}

rules& rules::add(label name, rule when, std::optional<std::size_t> way) {
  const auto all = std::make_shared<formula>(*formula_);
  all->add(all->add(*when.formula_));
  formula_ = all;
  const bool is_always = when.formula_->is_empty();
  entries_.push_back({std::string{name.text()}, std::move(when), is_always, way});
  return *this;
}

rules& rules::drop_tombstones() {
  drops_tombstones_ = true;
  return *this;
}

rules& rules::include_malformed() {
  includes_malformed_ = true;
  return *this;
}

rules::verdict rules::judge(const evidence& of) const try {
  if (drops_tombstones_ && of.value && of.value->is_null()) return {entries_.size(), std::nullopt};
  const auto decider = formula_->decide(of);
  if (!decider) return {entries_.size(), 0};
  if (*decider == entries_.size()) return {entries_.size() + 1, std::nullopt};
  return {*decider, entries_[*decider].way};
} catch (const json::malformed&) {
  if (!includes_malformed_) throw;
  return {entries_.size() + 2, 0};
}

std::vector<std::string> rules::deciders() const {
  std::vector<std::string> all;
  for (const entry& each : entries_) all.push_back(each.name);
  all.emplace_back(undecided);
  all.emplace_back(unmatched);
  if (includes_malformed_) all.emplace_back(unreadable);
  return all;
}

std::vector<std::string> rules::ways() const {
  std::vector<std::string> all{"included"};
  for (const entry& each : entries_)
    if (each.way.value_or(0) > 0) all.push_back(each.name);
  return all;
}

std::vector<flaw> rules::flaws() const {
  std::vector<flaw> all;
  std::set<std::string_view> names{undecided, unmatched, unreadable};
  const entry* last = nullptr;
  for (const entry& each : entries_) {
    const auto name = "the rule " + quoted(each.name);
    if (!is_name(each.name)) all.push_back({"a rule has the name " + quoted(each.name), name_rule});
    if (!names.insert(each.name).second) all.push_back({name + " has a name that is taken", "give it one of its own"});
    if (last)
      all.push_back({name + " is never asked: " + quoted(last->name) + " decides about everything", "move it up"});
    for (flaw& wrong : each.when.flaws()) all.push_back({name + ": " + wrong.text, std::move(wrong.remedy)});
    if (!last && each.is_always) last = &each;
  }
  if (std::ranges::none_of(entries_, [](const entry& each) { return each.way.has_value(); }))
    all.push_back({"no rule includes anything", "add one that includes what is left"});
  return all;
}

std::string to_string(const rules& what) {
  std::string text;
  for (const rules::entry& each : what.entries_) {
    const auto* does = !each.way ? "exclude " : *each.way == 0 ? "include " : "route ";
    text += (text.empty() ? "" : "; ") + (does + each.name);
    if (!each.is_always) text += " if " + to_string(each.when);
  }
  return text + (what.drops_tombstones_ ? "; drop tombstones" : "") +
         (what.includes_malformed_ ? "; include malformed" : "");
}

}  // namespace flow
