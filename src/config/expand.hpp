#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <flow/settings.hpp>

namespace flow::config {

/// A text after `${...}` was replaced.
struct expansion {
  std::string text;
  bool expanded = false;
  bool secret = false;  ///< some of it came from a file
  std::vector<complaint> complaints;
};

expansion expand(std::string_view text, const environment& variables);

/// What a file holds, or why it cannot be read. Reads `limit` bytes at most: more is a complaint.
complaint read_whole_file(const std::string& name, std::size_t limit, std::string& out);

}  // namespace flow::config
