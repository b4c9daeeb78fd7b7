#pragma once

#include <cstdint>
#include <iosfwd>

#include <flow/command_line.hpp>
#include <flow/settings.hpp>

namespace replicator {

struct demo_options {
  int regions = 5;
  int rate = 400;
  int seconds = 12;
  std::uint64_t seed = 1;

  void bind(auto& b) {
    b("regions", regions, "target regions").range(1, 5);
    b("rate", rate, "business events per second").range(1, 20'000);
    b("seconds", seconds, "how long events are made").range(3, 600);
    b("seed", seed, "of the events and of every delay");
  }
};

/// Shows the replicator at work on in-memory clusters: events at home, some of them sent twice and some cut off, every
/// region filling up, one region cut off and brought back, one that does not take a large event, so that its customer is
/// parked there until the limit is raised and the letters are replayed, and one crash of the worker. Then compares every
/// region with what it should hold, event by event.
/// @return 0 only if each accepted event is there exactly once, in order per customer; 3 if not.
int demo(demo_options& how, flow::invocation& terminal);

}  // namespace replicator
