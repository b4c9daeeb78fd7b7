#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flow::config {

/// The candidate that was most likely meant, or nothing if none is close.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// "a, b or c"
std::string either(const std::vector<std::string>& words);

/// `text` in quotes, on one line and not endless.
std::string in_quotes(std::string_view text);

/// The parts between separators, trimmed.
std::vector<std::string> split_at(std::string_view text, char separator);
std::string_view trimmed(std::string_view text);

}  // namespace flow::config
