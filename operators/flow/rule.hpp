#pragma once

#include <concepts>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <flow/flaw.hpp>
#include <flow/record.hpp>

/// Rules on records as they came, for `filter` and for whatever else takes a predicate:
///
///     json::at("/source").any_of({"orders", "payments"}) && !header_value("test").exists()
///
/// `json::at` stands in <flow/json.hpp>.
namespace flow {

/// The insides of rules.
struct formula;

/// What a rule compares with: a text, a number, or true or false.
class literal {
 public:
  enum class kind { text, number, boolean };

  literal(std::string text = {}) : kind_{kind::text}, spelled_{std::move(text)} {}
  literal(std::string_view text) : literal{std::string{text}} {}
  literal(const char* text) : literal{std::string{text}} {}
  template <std::same_as<bool> T>
  literal(T boolean) : literal{kind::boolean, boolean ? "true" : "false"} {}
  template <std::integral T>
  requires(!std::same_as<T, bool> && !std::same_as<T, char>) literal(T number)
      : literal{kind::number, std::to_string(number)} {}
  /// The shortest decimal that means this double: 0.1 is a tenth.
  literal(double number);
  /// A number as JSON writes it, exactly.
  static literal number(std::string spelled) { return {kind::number, std::move(spelled)}; }

  kind is() const { return kind_; }
  /// The text itself, the number as JSON writes it, "true" or "false".
  const std::string& spelled() const { return spelled_; }

  bool operator==(const literal&) const = default;

 private:
  literal(kind is, std::string spelled) : kind_{is}, spelled_{std::move(spelled)} {}

  kind kind_;
  std::string spelled_;
};

/// What rules see of a record. A key or a value in whose place something has been put that is no bytes is none.
struct evidence {
  std::optional<bytes> key;
  std::optional<bytes> value;
  std::span<const header> headers;
  std::string_view topic;

  template <typename K, typename V>
  explicit evidence(const record<K, V>& r)
      : key{raw(r.key_slot())}, value{raw(r.value_slot())}, headers{r.headers()}, topic{r.origin().topic} {}

 private:
  template <typename T>
  static std::optional<bytes> raw(const slot<T>& of) {
    if (of.is_received()) return of.received();
    if constexpr (std::convertible_to<const T&, bytes>) return of.get({});
    return std::nullopt;
  }
};

/// What a record has to be like, as a predicate. A cheap value; may be called from any thread.
///
/// Topic, headers and key are looked at first. The value is read only if they leave the rule open: once, front to back,
/// however many places in it are asked about, and until the rule is decided; what lies behind that is not looked at.
///
/// What is not there is false. But a null value is neither: a rule that hangs on a place in it stays open, and passes,
/// as does its negation; such a record deletes, and a lost delete is a lost event.
class rule {
 public:
  /// True for every record.
  rule();

  /// @throws json::malformed if the value would have to be read further and is no JSON; `std::logic_error` if the rule
  ///         has flaws, or looks at a key or value that is not there as bytes any more.
  template <typename K, typename V>
  bool operator()(const record<K, V>& r) const {
    return decide(evidence{r}).value_or(true);
  }
  /// None if it is left open. Throws the same.
  std::optional<bool> decide(const evidence& of) const;

  friend rule operator||(const rule& a, const rule& b);
  friend rule operator&&(const rule& a, const rule& b);
  friend rule operator!(const rule& negated);
  /// As it would be written in a program.
  friend std::string to_string(const rule& what);

  /// Pointers, expressions and numbers in it that are none. A topology with such a rule cannot be built.
  std::vector<flaw> flaws() const;

 private:
  friend class subject;
  friend class rules;
  explicit rule(std::shared_ptr<const formula> what) : formula_{std::move(what)} {}

  std::shared_ptr<const formula> formula_;
};

/// A part of a record that rules ask about. Where it is not there every answer is no.
///
/// What stands in a value as JSON is a text, a number, true or false, or none of these, and is compared with its like
/// only: `1` is not `"1"`. Texts are compared as they read after unescaping, by their bytes; numbers by what they mean,
/// exactly, so that `1.0` equals `1e0`. Headers, keys and topics are bytes, and compared as whatever they can be read
/// as.
class subject {
 public:
  enum class part { value, header, key, topic };

  /// The place in a value, or the header, is named by `name`.
  subject(part of, std::string name);

  /// What stands there as an id, for `dedup`. Texts, numbers and booleans are of different kinds: `1` is not `"1"`. None
  /// if nothing is there, or null, a list or an object; nor in a null value. Throws as a rule does.
  template <typename K, typename V>
  std::optional<std::string> operator()(const record<K, V>& r) const {
    return find(evidence{r});
  }
  std::optional<std::string> find(const evidence& of) const;
  std::vector<flaw> flaws() const;
  /// What it is, as it is written in C++: `json::at("/id")`, `header_value("source")`.
  std::string text() const;

  /// Something is there, be it null.
  rule exists() const;
  /// One of these is there.
  rule any_of(std::vector<literal> values) const;
  template <typename T>
  rule any_of(const std::vector<T>& values) const {
    return any_of(std::vector<literal>(values.begin(), values.end()));
  }
  /// A text is there that `expression` matches as a whole; RE2's syntax, in time linear in the text. Bytes that are not
  /// UTF-8 are matched by `\C` only.
  rule matches(std::string expression) const;

  friend rule operator==(const subject& what, const literal& value) { return what.compared("==", value); }
  /// Something else is there.
  friend rule operator!=(const subject& what, const literal& value) { return what.compared("!=", value); }
  friend rule operator<(const subject& what, const literal& value) { return what.compared("<", value); }
  friend rule operator<=(const subject& what, const literal& value) { return what.compared("<=", value); }
  friend rule operator>(const subject& what, const literal& value) { return what.compared(">", value); }
  friend rule operator>=(const subject& what, const literal& value) { return what.compared(">=", value); }

 private:
  rule compared(std::string_view how, const literal& value) const;

  part part_;
  std::string name_;
  std::shared_ptr<const formula> finder_;
};

/// The last header of that name, which is the one that counts for Kafka's clients.
inline subject header_value(std::string name) {
  return {subject::part::header, std::move(name)};
}
/// The key as it came, or as text that was put in its place. A record without a key has none.
inline subject key_bytes() {
  return {subject::part::key, {}};
}
/// The topic that the record was read from; none for a record of a range.
inline subject topic_name() {
  return {subject::part::topic, {}};
}

}  // namespace flow
