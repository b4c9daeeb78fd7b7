#pragma once

#include <string>

namespace flow {

/// Something that is wrong with a topology, and what to do about it.
struct flaw {
  std::string text;
  std::string remedy;

  bool operator==(const flaw&) const = default;
};

}  // namespace flow
