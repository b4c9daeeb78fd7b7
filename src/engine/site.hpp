#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "loop.hpp"
#include "names.hpp"
#include "options.hpp"
#include "position.hpp"
#include "reading.hpp"
#include "routes.hpp"

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
  std::function<std::int64_t()> wall_clock;  ///< milliseconds since 1970 UTC
  log_sink log;
  std::string name;  ///< of the cluster, and of the sink if it has lanes of its own
  port::cluster& cluster;
  const std::map<std::string, std::unique_ptr<port::cluster>>& clusters;  ///< all that the worker knows, by name
  engine::names names;
  std::map<std::string, std::string>& identities;  ///< of the worker's targets, by name: clusters' own ids, once known
  std::uint64_t sinks = 0;                         ///< bit i: sink i of the plan writes here
  std::optional<std::uint32_t> outside{};          ///< the one of them that delivers to a destination, if one does
  std::function<std::unique_ptr<flow::destination>()> take_destination{};  ///< once
  std::optional<std::uint32_t> process{};  ///< the process that makes what is written here, if one does

  /// What has lanes of its own is at home.
  const std::string& cluster_name() const { return names.sink.empty() ? name : options.home; }
  /// It is the cluster that is read, whatever it is called.
  bool is_home() const {
    const auto own = identities.find(cluster_name());
    return own != identities.end() && own->second == reading.cluster_id();
  }
  /// Something of this source partition comes to one of its sinks.
  bool takes(const source& from) const { return lead_to(topology.sinks(), sinks, from.entries); }
  topic_partition lane_topic(std::int32_t lane) const { return {names.lanes_topic(), lane}; }
  provenance provenance_now() const {
    return {options.application, reading.cluster_id(), options.lanes, std::string{reading.how().id}};
  }
};

}  // namespace flow::engine
