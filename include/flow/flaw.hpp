#pragma once

#include <string>

namespace flow {

/// Something that is wrong with a topology, and what to do about it.
struct flaw {
  std::string text;
  std::string remedy;
  std::string about{};  ///< the value that it is about, as the user gave it, so that it can be found in a configuration

  bool operator==(const flaw&) const = default;
};

}  // namespace flow
