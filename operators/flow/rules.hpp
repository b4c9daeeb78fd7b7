#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <flow/flaw.hpp>
#include <flow/label.hpp>
#include <flow/op.hpp>
#include <flow/rule.hpp>

namespace flow {

/// Named rules in an order: the first that is true of a record decides what becomes of it.
///
/// A record of which none is true goes nowhere. A null value is included as soon as it is the turn of a rule that hangs
/// on a place in it; those before, on topic, headers and key, decide about it as about any other. A value is read once
/// for all rules.
class rules {
 public:
  rules();

  /// Without a `when` a rule decides about everything that gets there. Records that are included go one way together;
  /// each route is a way of its own.
  rules& include(label name, rule when = {}) { return add(name, std::move(when), 0); }
  rules& exclude(label name, rule when = {}) { return add(name, std::move(when), std::nullopt); }
  rules& route(label name, rule when = {}) { return add(name, std::move(when), ++routes_); }
  /// Null values go nowhere, whatever the rules say.
  rules& drop_tombstones();
  /// Values that are no JSON are included, if a rule would have to read them, and are no failures.
  rules& include_malformed();

  struct verdict {
    std::size_t by = 0;                ///< one of `deciders`
    std::optional<std::size_t> way{};  ///< one of `ways`; none: it goes nowhere

    bool operator==(const verdict&) const = default;
  };
  /// Throws as a rule does.
  template <typename K, typename V>
  verdict judge(const record<K, V>& r) const {
    return judge(evidence{r});
  }
  verdict judge(const evidence& of) const;

  /// The rules' names in their order, then "tombstones", "otherwise", and "malformed" if that is included, which stand
  /// for what no rule has decided.
  std::vector<std::string> deciders() const;
  /// "included", then the names of the routes in their order.
  std::vector<std::string> ways() const;
  /// What is wrong with rules or names, and rules that can never decide. A topology with these cannot be built.
  std::vector<flaw> flaws() const;
  friend std::string to_string(const rules& what);

 private:
  struct entry {
    std::string name;
    rule when;
    bool is_always;  ///< there is no condition
    std::optional<std::size_t> way;
  };
  rules& add(label name, rule when, std::optional<std::size_t> way);

  std::vector<entry> entries_;
  std::shared_ptr<const formula> formula_;
  std::size_t routes_ = 0;
  bool drops_tombstones_ = false;
  bool includes_malformed_ = false;
};

struct split_by_rules_op : op<split_by_rules_op> {
  static constexpr std::string_view verb = "split";

  split_by_rules_op(label name, rules by) : op<split_by_rules_op>{name}, by{std::move(by)} {}

  template <typename In>
  static consteval auto out() {
    return branches<In, std::dynamic_extent>{};
  }

  template <typename K, typename V>
  void operator()(record<K, V>&& r, auto& next) const {
    const auto verdict = by.judge(r);
    next.count(verdict.by);
    if (verdict.way) next(*verdict.way, std::move(r));
  }

  std::vector<std::string> ports() const { return by.ways().size() > 1 ? by.ways() : std::vector<std::string>{}; }
  std::vector<std::string> deciders() const { return by.deciders(); }
  std::string note() const { return to_string(by); }
  void captures(auto see) const { see(by); }

  rules by;
};

/// A stream for each way that the rules know, and a count for each of their deciders:
///
///     const auto ways = events | split("business-events", rules{}
///                                                             .exclude("tests", header_value("test").exists())
///                                                             .route("audit", topic_name() == "audit")
///                                                             .include("critical", json::at("/source") == "orders"));
///     ways[0] | fan_out("regions", {"tokyo"});
///     ways[1] | fan_out("archive", {"tokyo"}, {.rename = "audit-archive"});
inline split_by_rules_op split(label name, rules by) {
  return {name, std::move(by)};
}

}  // namespace flow
