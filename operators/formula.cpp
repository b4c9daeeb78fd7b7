#include "formula.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <stdexcept>

#include "decimal.hpp"
#include "walk.hpp"

namespace flow {
namespace {

std::optional<std::size_t> array_index(const std::string& name) {
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  const bool leading_zero = name.size() > 1 && name.front() == '0';
  if (error != std::errc{} || end != name.data() + name.size() || leading_zero) return std::nullopt;
  return index;
}

truth negated(truth of) {
  return static_cast<truth>(2 - static_cast<unsigned char>(of));
}

finding raw(bytes found) {
  return found.is_null() ? finding{} : finding{finding::kind::raw, found.view()};
}

bytes part(const std::optional<bytes>& of, const char* name) {
  if (!of) throw std::logic_error{"flow: a rule looks at the " + std::string{name} + ", which is no bytes any more"};
  return *of;
}

// In the place of what is not there is nothing.
std::optional<finding> find(const condition& what, const evidence& in) {
  switch (what.part) {
    case subject::part::key:
      if (const auto key = part(in.key, "key"); !key.is_null()) return raw(key);
      break;
    case subject::part::topic:
      if (!in.topic.empty()) return raw(in.topic);
      break;
    case subject::part::header:
      for (auto each = in.headers.rbegin(); each != in.headers.rend(); ++each)
        if (each->key == what.names.front()) return raw(each->value);
      break;
    case subject::part::value:
      break;
  }
  return std::nullopt;
}

truth value(const term& what, const sheet& of) {
  truth result = what.what == term::kind::both ? truth::yes : truth::no;
  for (const auto operand : what.operands) {
    switch (what.what) {
      case term::kind::condition:
        return of.conditions[operand];
      case term::kind::negation:
        return negated(of.terms[operand]);
      case term::kind::either:
        result = std::max(result, of.terms[operand]);
        break;
      case term::kind::both:
        result = std::min(result, of.terms[operand]);
        break;
    }
  }
  return result;
}

}  // namespace

void formula::add(std::shared_ptr<const condition> what) {
  const auto number = conditions.size();
  if (what->part == subject::part::value) {
    std::size_t at = 0;
    places[at].below.push_back(number);
    for (const auto& name : what->names) {
      const auto* found = inside(places[at], std::string_view{name});
      const auto next = found ? static_cast<std::size_t>(found - places.data()) : places.size();
      if (!found) {
        places[at].inside.push_back(next);
        places.push_back({name, array_index(name), {}, {}, {}});
      }
      at = next;
      places[at].below.push_back(number);
    }
    places[at].here.push_back(number);
  }
  conditions.push_back(std::move(what));
}

term formula::add(const formula& other) {
  const auto first_condition = conditions.size();
  const auto first_term = terms.size();
  for (const auto& each : other.conditions) add(each);
  std::ranges::copy(other.flaws, std::back_inserter(flaws));
  for (const auto& each : other.terms) {
    terms.push_back(each);
    for (auto& operand : terms.back().operands)
      operand += each.what == term::kind::condition ? first_condition : first_term;
  }
  auto root = std::move(terms.back());
  terms.pop_back();
  return root;
}

term formula::take() {
  auto root = std::move(terms.back());
  terms.pop_back();
  roots.pop_back();
  return root;
}

void formula::add(term root) {
  roots.push_back(terms.size());
  terms.push_back(std::move(root));
}

std::optional<std::size_t> formula::decide(const evidence& of) const {
  if (!flaws.empty()) throw std::logic_error{"flow: " + flaws.front().text + " (" + flaws.front().remedy + ")"};
  thread_local sheet known;
  known.conditions.assign(conditions.size(), truth::open);
  known.terms.assign(terms.size(), truth::open);
  for (std::size_t i = 0; i < conditions.size(); ++i)
    if (conditions[i]->part != subject::part::value) {
      const auto found = find(*conditions[i], of);
      known.conditions[i] = found && conditions[i]->holds(*found) ? truth::yes : truth::no;
    }
  if (const auto rule = decided(known)) return rule;
  const auto document = part(of.value, "value");
  if (document.is_null()) return std::nullopt;
  return json::read(*this, known, document.view());
}

std::optional<std::size_t> formula::decided(sheet& known) const {
  std::size_t next = 0;
  for (std::size_t rule = 0; rule < roots.size(); ++rule) {
    for (; next <= roots[rule]; ++next)
      if (known.terms[next] == truth::open) known.terms[next] = value(terms[next], known);
    if (known.terms[roots[rule]] == truth::yes) return rule;
    if (known.terms[roots[rule]] == truth::open) return std::nullopt;
  }
  return roots.size();
}

}  // namespace flow
