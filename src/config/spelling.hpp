#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <flow/spelling.hpp>

namespace flow::config {

using spelling::either;
using spelling::nearest;

/// `text` in quotes, on one line and not endless.
std::string in_quotes(std::string_view text);

/// The parts between separators, trimmed.
std::vector<std::string> split_at(std::string_view text, char separator);
/// The same, but a separator within brackets that are closed is part of what it stands in: "a{1,2},b" are two.
std::vector<std::string> items_of(std::string_view text, char separator);
std::string_view trimmed(std::string_view text);

}  // namespace flow::config
