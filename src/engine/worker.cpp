#include "worker.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace flow::engine {

worker::worker(surroundings with)
    : with_{std::move(with)},
      reading_{{.loop = loop_,
                .options = with_.options,
                .topology = *with_.topology,
                .home = *with_.clusters.at(with_.options.home),
                .state = with_.state,
                .wake = with_.wake,
                .wall_clock = with_.wall_clock,
                .log = with_.log}} {
  std::map<std::string, std::uint64_t> written;
  const auto& sinks = with_.topology->sinks();
  for (std::size_t i = 0; i < sinks.size(); ++i)
    for (const auto& cluster : sinks[i].clusters)
      written[cluster == home ? with_.options.home : cluster] |= std::uint64_t{1} << i;
  for (const auto& [name, its_sinks] : written)
    targets_.push_back(std::make_unique<target>(site{.loop = loop_,
                                                     .options = with_.options,
                                                     .topology = *with_.topology,
                                                     .reading = reading_,
                                                     .state = with_.state,
                                                     .probe = with_.probe,
                                                     .wake = with_.wake,
                                                     .log = with_.log,
                                                     .name = name,
                                                     .cluster = *with_.clusters.at(name),
                                                     .names = {with_.options.application, with_.options.home},
                                                     .sinks = its_sinks,
                                                     .identities = identities_}));
  running_.push_back(reading_.discover());
  for (const auto& each : targets_) running_.push_back(each->run());
}

time_point worker::turn(time_point now) {
  loop_.run(now);
  if (!std::exchange(begun_, true))
    for (auto& each : running_) each.start();
  const bool moved = reading_.run();
  for (const auto& each : targets_) each->turn();
  loop_.run(now);
  return moved || reading_.can_go_on() ? now : std::min(loop_.next(), reading_.due());
}

void worker::stop() {
  for (const auto& each : targets_) each->stop();
}

bool worker::stopped() const {
  return std::all_of(running_.begin() + 1, running_.end(), [](const auto& each) { return each.done(); });
}

std::optional<failure> worker::ended() const {
  if (reading_.ended()) return reading_.ended();
  std::optional<failure> last;
  std::size_t count = 0;
  for (const auto& each : targets_) {
    if (!each->ended()) continue;
    last = each->ended();
    ++count;
    if (last->kind == failure_kind::fenced_member) return last;
  }
  return count == targets_.size() ? last : std::nullopt;
}

worker_status worker::status() const {
  worker_status now;
  now.instance = with_.options.instance;
  for (const auto& each : targets_) now.targets.push_back(each->status());
  now.nodes = reading_.counts();
  now.trouble = reading_.trouble().current();
  return now;
}

}  // namespace flow::engine
