#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include <flow/rule.hpp>

/// Rules on values that are JSON: `json::at("/source").any_of({"orders", "payments"}) || json::at("/cents") >= 10'000`.
namespace flow::json {

/// A value that is not JSON. Says at which byte and why, and nothing of the value itself.
struct malformed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A place in a record's value, by a JSON pointer as RFC 6901 has it: `/detail/type`, `/items/0`, `~0` for `~` and `~1`
/// for `/` in names; an empty one is the whole.
///
/// Names and strings are compared unescaped. Where a member name repeats the first one counts. Whatever is not an
/// object at the top has no places. Malformed is an empty value, invalid UTF-8, what is not JSON by RFC 8259, and what
/// is nested deeper than 1,000 levels, unless the rule is decided before; a value may be of any size.
inline subject at(std::string pointer) {
  return {subject::part::value, std::move(pointer)};
}

/// One JSON text by RFC 8259 and nothing else, not nested deeper than 1,024 levels.
bool is_document(bytes value);

}  // namespace flow::json
