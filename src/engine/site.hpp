#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "loop.hpp"
#include "names.hpp"
#include "options.hpp"
#include "position.hpp"
#include "reading.hpp"

#include <flow/log.hpp>
#include <flow/plan.hpp>
#include <flow/ports.hpp>

namespace flow::engine {

/// One cluster that a worker writes to, and what work there needs.
struct site {
  engine::loop& loop;
  const engine::options& options;
  const plan& topology;
  engine::reading& reading;
  port::state& state;
  port::probe& probe;
  port::wake wake;
  log_sink log;
  std::string name;
  port::cluster& cluster;
  engine::names names;
  std::uint64_t sinks = 0;  ///< bit i: sink i of the plan writes here
  std::map<std::string, std::string>& identities;  ///< of the worker's targets, by name: clusters' own ids, once known

  /// It is the cluster that is read, whatever it is called.
  bool is_home() const {
    const auto own = identities.find(name);
    return own != identities.end() && own->second == reading.cluster_id();
  }
  topic_partition lane_topic(std::int32_t lane) const { return {names.lanes_topic(), lane}; }
  provenance provenance_now() const {
    return {options.application, reading.cluster_id(), options.lanes, std::string{reading.how().id}};
  }
};

}  // namespace flow::engine
