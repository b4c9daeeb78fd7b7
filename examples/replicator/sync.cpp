#include "sync.hpp"

#include <flow/flow.hpp>
#include <flow/json.hpp>

namespace replicator {

using namespace flow;

topology sync(const settings& s) {
  topology t{s.application};
  stream events = t.from(topics<bytes, bytes>{s.topics.include, s.topics.exclude});
  if (s.events)
    events = events | filter("business-events", json::at(s.events->source).any_of(s.events->critical_sources) ||
                                                    json::at(s.events->type).any_of(s.events->consistency_types))
                          .on_failure(s.events->malformed == malformed::skip ? skip : stop);
  events | fan_out("regions", s.targets,
                   {.rename = s.topics.rename,
                    .partition = s.topics.partitions == partitions::keep ? kept : by_key,
                    .create = s.topics.create});
  return t;
}

}  // namespace replicator
