#pragma once

#include <cstddef>
#include <string_view>

#include "formula.hpp"

namespace flow::json {

/// Reads a document until it is known which rule decides, and returns its number. What else than the value counts is
/// known already. Throws `malformed`.
std::size_t read(const formula& rules, sheet& known, std::string_view document);

}  // namespace flow::json
