#include "sync.hpp"

#include <vector>

#include <flow/flow.hpp>
#include <flow/json.hpp>
#include <flow/rules.hpp>

namespace replicator {

using namespace flow;

namespace {

/// What is no JSON and replicated all the same has no id.
auto id_of(const settings& s) {
  const bool tolerant = s.events && s.events->malformed == malformed::replicate;
  return [id = json::at(s.dedup->id), tolerant](const record<bytes, bytes>& r) -> std::optional<std::string> {
    if (!tolerant) return id(r);
    try {
      return id(r);
    } catch (const json::malformed&) {
      return std::nullopt;
    }
  };
}

}  // namespace

topology sync(const settings& s) {
  topology t{s.application};
  std::vector<stream<bytes, bytes>> streams{t.from(topics<bytes, bytes>{s.topics.include, s.topics.exclude})};
  if (s.events) streams = streams[0] | split("business-events", s.events->in_force()).on_failure(s.for_malformed());
  const auto ways = s.ways();
  for (std::size_t i = 0; i < ways.size(); ++i) {
    if (s.dedup)
      streams[i] = streams[i] | dedup(i == 0 ? "seen" : "seen-" + ways[i].sink, id_of(s), s.dedup->window)
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
