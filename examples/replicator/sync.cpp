#include "sync.hpp"

#include <vector>

#include <flow/flow.hpp>
#include <flow/json.hpp>
#include <flow/rules.hpp>

namespace replicator {

using namespace flow;

event_id::event_id(const settings& s)
    : at_{json::at(s.dedup->id)}, is_tolerant_{s.when_malformed() == malformed::replicate} {}

std::optional<std::string> event_id::operator()(const record<bytes, bytes>& event) const {
  if (!is_tolerant_) return at_(event);
  try {
    return at_(event);
  } catch (const json::malformed&) {
    return std::nullopt;
  }
}

topology sync(const settings& s) {
  topology t{s.application};
  std::vector<stream<bytes, bytes>> streams{t.from(topics<bytes, bytes>{s.topics.include, s.topics.exclude})};
  if (s.events) streams = streams[0] | split("business-events", s.events->in_force()).on_failure(s.for_malformed());
  const auto ways = s.ways();
  for (std::size_t i = 0; i < ways.size(); ++i) {
    if (s.dedup)
      streams[i] = streams[i] | dedup(i == 0 ? "seen" : "seen-" + ways[i].sink, event_id{s}, s.dedup->window)
                                    .on_failure(s.for_malformed());
    streams[i] | fan_out(ways[i].sink, s.targets,
                         {.rename = ways[i].rename,
                          .partition = s.topics.partitions == partitions::keep ? kept : by_key,
                          .create = s.topics.create,
                          .sync_settings = s.topics.sync_settings})
                     .on_failure(s.on_failure.in_force());
  }
  return t;
}

}  // namespace replicator
