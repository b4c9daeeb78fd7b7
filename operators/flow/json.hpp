#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <flow/bytes.hpp>

/// Rules on raw JSON: `json::at("/source").any_of({"orders", "payments"}) || !json::at("/test").exists()`.
namespace flow::json {

/// A value that is not JSON. Says at which byte and why, and nothing of the value itself.
struct malformed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What a JSON document has to be like, as a predicate for `filter`. A cheap value; may be called from any thread.
///
/// A document is read once, front to back, only until the rule is decided; what lies behind that is not looked at.
/// Where a member name repeats, the first one counts. Whatever is not an object at the top matches no pointer. A null
/// value passes every rule, a negated one too: it deletes, and a lost delete is a lost event.
class rule {
 public:
  /// @throws malformed for an empty value, invalid UTF-8, what is not JSON by RFC 8259, and what is nested deeper than
  ///         1,000 levels, unless the rule is decided before.
  bool operator()(bytes value) const;

  friend rule operator||(const rule& a, const rule& b);
  friend rule operator&&(const rule& a, const rule& b);
  friend rule operator!(const rule& negated);

 private:
  friend class pointer;
  struct formula;
  explicit rule(std::shared_ptr<const formula> what) : formula_{std::move(what)} {}

  std::shared_ptr<const formula> formula_;
};

/// A place in a document: a JSON pointer by RFC 6901, `~0` for `~` and `~1` for `/` in names.
class pointer {
 public:
  /// @throws std::invalid_argument saying where the text goes wrong and what to write instead.
  explicit pointer(std::string_view text);

  /// Something is there, be it null.
  rule exists() const;
  /// A string is there, one of these after unescaping. A number or a list is never equal to a string.
  rule any_of(std::vector<std::string> strings) const;
  rule equals(std::string string) const { return any_of({std::move(string)}); }

 private:
  std::vector<std::string> names_;
};

/// Throws as `pointer` does.
inline pointer at(std::string_view text) {
  return pointer{text};
}

}  // namespace flow::json
