#pragma once

#include <map>
#include <optional>
#include <string>

#include <flow/command_line.hpp>

#include "settings.hpp"

namespace replicator {

struct explain_options {
  std::string topic;
  std::optional<std::string> key;
  std::map<std::string, std::string> headers;

  void bind(auto& b) {
    b("topic", topic, "that the events are read from; the first name in topics.include unless given");
    b("key", key, "that they have; none unless given");
    b("headers", headers, "that they have; none unless given");
  }
};

/// Reads events from the standard input, one in each line, and says for each which rule decides and what becomes of it.
/// Reaches no cluster. Throws `flow::configuration_error` if the topic is not one that is replicated.
/// @return 0, also if some are malformed.
int explain(const settings& s, const explain_options& about, flow::invocation& terminal);

}  // namespace replicator
