#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flow/rule.hpp>

namespace flow {

/// Three values in an order that makes `or` the greatest, `and` the least of several.
enum class truth : unsigned char { no, open, yes };

/// What stands at a place in a document, or in a header, a key or a topic's name.
struct finding {
  enum class kind {
    other,    ///< nothing that could be compared: null, a list, an object, a string that is no text
    text,     ///< unescaped
    number,   ///< as it is written
    boolean,  ///< as it is written
    raw       ///< bytes: a text, and a number or a boolean if it can be read as one
  };
  kind is = kind::other;
  std::string_view text{};
};

/// What is asked about one part of a record.
struct condition {
  subject::part part = subject::part::value;
  std::vector<std::string> names{};  ///< the way to a place in a value, or the name of a header
  std::string written{};
  bool compares = false;  ///< it is written with an operator
  std::function<bool(const finding&)> holds{};
};

/// A condition, or what is made of others, which stand before it.
struct term {
  enum class kind { condition, either, both, negation };
  kind what = kind::condition;
  std::vector<std::size_t> operands{};  ///< terms; of a condition, its number
};

/// Where pointers lead, as a tree, so that a document is walked once for all of them.
struct waypoint {
  std::string name{};
  std::optional<std::size_t> index{};  ///< what the name means in an array
  std::vector<std::size_t> inside{};
  std::vector<std::size_t> here{};   ///< the conditions on what is at this place,
  std::vector<std::size_t> below{};  ///< and those together with all on what is inside

  bool names(std::string_view member) const { return name == member; }
  bool names(std::size_t element) const { return index == element; }
};

/// What is known of one record so far.
struct sheet {
  std::vector<truth> conditions;
  std::vector<truth> terms;
};

/// Rules on one record, of which the first that is true decides.
struct formula {
  std::vector<std::shared_ptr<const condition>> conditions{};
  std::vector<term> terms{};
  std::vector<std::size_t> roots{};  ///< the term of each rule, in order
  std::vector<waypoint> places{1};
  std::vector<flaw> flaws{};

  void add(std::shared_ptr<const condition> what);
  /// Takes over the only rule of another one, all but the term that it is, which is returned.
  term add(const formula& other);
  /// Adds a rule.
  void add(term root);
  /// True of everything, for want of a condition.
  bool is_empty() const { return conditions.empty() && terms.back().what == term::kind::both; }
  /// Takes the last rule out again, all but what it is made of.
  term take();

  /// The number of the rule that decides, or of rules if none does; none if that stays open. Throws as `rule` says.
  std::optional<std::size_t> decide(const evidence& of) const;
  /// The same by what is known.
  std::optional<std::size_t> decided(sheet& known) const;

  const waypoint* inside(const waypoint& where, const auto& name) const {
    for (const auto number : where.inside)
      if (places[number].names(name)) return &places[number];
    return nullptr;
  }
};

}  // namespace flow
