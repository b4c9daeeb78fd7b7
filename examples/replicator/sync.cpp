#include "sync.hpp"

#include <vector>

#include <flow/flow.hpp>
#include <flow/rules.hpp>

namespace replicator {

using namespace flow;

topology sync(const settings& s) {
  topology t{s.application};
  std::vector<stream<bytes, bytes>> streams{t.from(topics<bytes, bytes>{s.topics.include, s.topics.exclude})};
  if (s.events)
    streams =
        streams[0] |
        split("business-events", s.events->in_force()).on_failure(s.events->malformed == malformed::skip ? skip : stop);
  const auto ways = s.ways();
  for (std::size_t i = 0; i < ways.size(); ++i)
    streams[i] | fan_out(ways[i].sink, s.targets,
                         {.rename = ways[i].rename,
                          .partition = s.topics.partitions == partitions::keep ? kept : by_key,
                          .create = s.topics.create});
  return t;
}

}  // namespace replicator
