#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <flow/command_line.hpp>

namespace flow::config {

/// Two columns under a title; nothing if there are no rows.
std::string table(std::string_view title, const std::vector<std::pair<std::string, std::string>>& rows);

/// The help of one verb. `program` is all that is typed before its options.
std::string verb_help(const std::string& program, const verb& about, const binder& settings, bool has_file,
                      const std::string& prefix);

}  // namespace flow::config
