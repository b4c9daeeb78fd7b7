#pragma once

#include <optional>
#include <string>

#include <flow/command_line.hpp>

#include "settings.hpp"

namespace replicator {

struct verify_options {
  std::optional<std::string> on;

  void bind(auto& b) { b("on", on, "the cluster; all targets, and the dead letters at home, unless set"); }
};

/// Reads the source and the targets, and prints for each partition what there is, and where it first differs.
/// @return 0 if nothing differs, 1 if something could not be read, 3 if something differs.
int verify(const settings& s, const verify_options& which, flow::invocation& terminal);

}  // namespace replicator
