#pragma once

#include <cstdint>
#include <stdexcept>
#include <vector>

#include <flow/topology.hpp>

namespace flow {

/// Runs a topology from ranges to `collect` and `for_each`, without any cluster, on this thread, until every range is
/// at its end. What a `retry` wants tried again is tried at once, a hundred times at most. Throws what `topology::build`
/// does, std::invalid_argument if a source or sink is a topic, and std::runtime_error if a record fails where the policy
/// is `stop` in the end.
inline void drain(const topology& what) {
  const auto plan = what.build();
  for (const auto& each : plan->sources())
    if (!each.bounded) throw std::invalid_argument{"flow: " + each.name + " reads topics; drain takes ranges only"};
  for (const auto& each : plan->sinks())
    if (each.names != sink_spec::naming::nowhere)
      throw std::invalid_argument{"flow: " + each.name + " writes elsewhere; drain ends in collect or for_each"};
  const auto running = plan->open();
  constexpr int most_tries = 100;
  attempts before;
  int tries = 0;
  for (std::uint32_t source = 0; source < plan->sources().size();) {
    arena written;
    std::vector<emission> emitted;
    const auto pulled = running->pull(source, {.written = written, .out = emitted, .before = &before});
    if (pulled) {
      before = {}, tries = 0;
      if (*pulled == graph::pulled::end) ++source;
    } else if (pulled.error().again && ++tries < most_tries) {
      before.add(pulled.error(), 0);
    } else {
      throw std::runtime_error{pulled.error().node + ": " + pulled.error().reason};
    }
  }
}

}  // namespace flow
