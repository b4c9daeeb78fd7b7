#include <algorithm>

#include "intake.hpp"

/// What is parked, as far as it is a matter of one reading: which of it concerns whom, and whether there is room for more.
namespace flow::engine {
namespace {

// Of nodes whose letters one of these sinks takes.
parked_keys only_of(const plan& topology, std::uint64_t sinks, const parked_keys& all) {
  if (all.empty()) return all;
  return all.only([&](const std::string& node) {
    return std::any_of(topology.parking().begin(), topology.parking().end(),
                       [&](const auto& each) { return each.node == node && (sinks >> each.letters & 1) != 0; });
  });
}

}  // namespace

parking parked_of(const course& who, const plan& topology) {
  parking now = who.parked;
  if (who.on) now.keys = only_of(topology, who.of->to->sinks(), who.on->parked);
  if (!who.letters) return now;
  const auto again = parked_of(who.letters->at, topology);
  now.keys = again.keys;
  now.settled = next_of(who.letters->at);
  return now;
}

parked_keys intake::concerning(std::uint64_t sinks, const parked_keys& all) const {
  return only_of(topology_, sinks, all);
}

bool intake::agree(const feed& at, std::uint64_t sinks, const parked_keys& theirs) const {
  return concerning(sinks, at.parked) == concerning(at.active, theirs);
}

std::vector<std::string_view> intake::parks_of(const feed& at, std::size_t i) const {
  const auto sinks = at.riders[i]->of->to->sinks();
  std::vector<std::string_view> nodes;
  for (const auto& each : topology_.parking())
    if ((sinks >> each.letters & 1) != 0 && std::ranges::count(parks_, each.node) > 0) nodes.push_back(each.node);
  for (std::size_t n = 0; n < emissions_.size(); ++n)
    if (parcels_[n * at.riders.size() + i].parks) nodes.push_back(sinks_[emissions_[n].sink].name);
  return nodes;
}

std::string intake::make_room(const feed& at, std::size_t i, std::size_t nodes) {
  auto& rider = *at.riders[i];
  if (nodes > 0) {
    std::size_t count = nodes, size = nodes * read_->key.size();
    for (const auto& each : rider.of->courses) {
      const auto keys = parked_of(*each, topology_).keys;
      count += keys.count(), size += keys.size();
    }
    if (count > most_parked_keys || size > most_parked_bytes)
      return "its key cannot be parked, since " + std::to_string(count - nodes) + " of its lane are, and " +
             std::to_string(most_parked_keys) + ", or " + std::to_string(most_parked_bytes) +
             " bytes, are the most (mend what makes records fail, and release them)";
  }
  for (std::size_t n = 0; n < emissions_.size(); ++n) {
    const auto& one = parcels_[n * at.riders.size() + i];
    if (!one.what || !takes_parked(one.what->sink) || read_->key.is_null()) continue;
    auto& lie = rider.parked.letters;
    const topic_partition where{one.to->name, partition_of(*one.to, *one.what)};
    if (where == lie) continue;
    if (parked_of(rider, topology_).count() > 0)
      return "what is parked of it lies in " + to_string(lie) + ", and would go on in " + to_string(where) +
             " (release it under the settings that it was parked with)";
    lie = where;
  }
  return {};
}

}  // namespace flow::engine
