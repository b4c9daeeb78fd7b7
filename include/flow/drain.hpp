#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

#include <flow/topology.hpp>

namespace flow {

/// Runs a topology from ranges to `collect` and `for_each`, without any cluster, on this thread, until every range is
/// at its end. Throws what `topology::build` does, std::invalid_argument if a source or sink is a topic, and
/// std::runtime_error if a record fails where the policy is `stop`.
inline void drain(const topology& what) {
  const auto plan = what.build();
  for (const auto& each : plan->sources())
    if (!each.bounded) throw std::invalid_argument{"flow: " + each.name + " reads topics; drain takes ranges only"};
  for (const auto& each : plan->sinks())
    if (each.names != sink_spec::naming::nowhere)
      throw std::invalid_argument{"flow: " + each.name + " writes elsewhere; drain ends in collect or for_each"};
  const auto running = plan->open();
  for (std::uint32_t source = 0; source < plan->sources().size();) {
    arena written;
    std::vector<emission> emitted;
    const auto pulled = running->pull(source, {.written = written, .out = emitted});
    if (!pulled) throw std::runtime_error{pulled.error().node + ": " + pulled.error().reason};
    if (*pulled == graph::pulled::end) ++source;
  }
}

}  // namespace flow
