#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>

namespace flow {

inline void demand(bool holds, const char* what) {
  if (holds) return;
  std::cerr << "not so: " << what << std::endl;
  std::abort();
}

/// What is in front of the next zero, which is taken away with it.
inline std::string_view take(std::string_view& from) {
  const auto end = std::min(from.find('\0'), from.size());
  const auto part = from.substr(0, end);
  from.remove_prefix(std::min(end + 1, from.size()));
  return part;
}

}  // namespace flow
