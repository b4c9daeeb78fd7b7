#include "worker.hpp"

#include <algorithm>
#include <utility>

namespace flow::engine {

worker::worker(surroundings with)
    : with_{std::move(with)},
      reading_{{.loop = loop_,
                .options = with_.options,
                .topology = *with_.topology,
                .home = *with_.clusters.at(with_.options.home),
                .state = with_.state,
                .beyond = with_.beyond,
                .wake = with_.wake,
                .wall_clock = with_.wall_clock,
                .log = with_.log}} {
  const auto& sinks = with_.topology->sinks();
  std::vector<purging::target> all;
  const target* deleting = nullptr;  // what went through, if it owns the first lane
  for (const auto& [where, its_sinks] : targets_of(*with_.topology, with_.options.home)) {
    const auto& [cluster, lanes] = where;
    site at{.loop = loop_,
            .options = with_.options,
            .topology = *with_.topology,
            .reading = reading_,
            .state = with_.state,
            .probe = with_.probe,
            .wake = with_.wake,
            .wall_clock = with_.wall_clock,
            .log = with_.log,
            .name = to_string(where),
            .cluster = *with_.clusters.at(cluster),
            .clusters = with_.clusters,
            .names = {with_.options.application, with_.options.home, lanes},
            .identities = identities_};
    for (const auto number : its_sinks) {
      at.sinks |= std::uint64_t{1} << number;
      if (sinks[number].names != sink_spec::naming::outside) continue;
      at.outside = number;
      at.take_destination = [opened = std::make_shared<std::unique_ptr<flow::destination>>(
                                 with_.open_destination(sinks[number]))] { return std::move(*opened); };
    }
    const auto& processes = with_.topology->processes();
    for (std::uint32_t i = 0; i < processes.size(); ++i)
      if (at.sinks >> processes[i].sink & 1) at.process = i;
    all.push_back({{at.cluster, at.name, at.names}, at.sinks});
    const bool may_delete = lead_to_from_own(*with_.topology, at.sinks);
    const auto& opened = targets_.emplace(where, std::make_unique<target>(std::move(at))).first->second;
    if (may_delete && !deleting) deleting = opened.get();
  }
  for (const auto& [name, each] : targets_) running_.push_back(each->run());
  discovering_ = reading_.discover();
  if (!deleting) return;
  purging_.emplace(
      purging::surroundings{.loop = loop_,
                            .options = with_.options,
                            .topology = *with_.topology,
                            .reading = reading_,
                            .log = with_.log,
                            .all = std::move(all),
                            .in_charge = [first = deleting] { return first->owns(0); }});
  purges_ = purging_->run();
}

time_point worker::turn(time_point now) {
  loop_.run(now);
  if (!std::exchange(begun_, true)) {
    discovering_.start();
    for (auto& each : running_) each.start();
    if (purging_) purges_.start();
  }
  const bool moved = reading_.run();
  for (const auto& [name, each] : targets_) each->turn();
  loop_.run(now);
  if (moved || reading_.can_go_on()) return now;
  auto due = std::min(loop_.next(), reading_.due());
  for (const auto& [name, each] : targets_) due = std::min(due, each->due());
  return due;
}

void worker::stop() {
  for (const auto& [name, each] : targets_) each->stop();
}

bool worker::stopped() const {
  return std::all_of(running_.begin(), running_.end(), [](const auto& each) { return each.done(); });
}

std::optional<failure> worker::ended() const {
  if (reading_.ended()) return reading_.ended();
  std::optional<failure> last;
  bool any_goes_on = false;
  for (const auto& [name, each] : targets_) {
    any_goes_on = any_goes_on || (!each->ended() && !each->removed());
    if (each->ended()) last = each->ended();
    if (last && last->kind == failure_kind::fenced_member) return last;
  }
  return any_goes_on ? std::nullopt : last;
}

worker_status worker::status() const {
  worker_status now;
  now.instance = with_.options.instance;
  for (const auto& [name, each] : targets_) now.targets.push_back(each->status());
  now.nodes = reading_.counts();
  now.trouble = reading_.trouble().current();
  now.seen_in_memory = with_.beyond.in_memory();
  now.seen_on_disk = with_.beyond.on_disk();
  return now;
}

}  // namespace flow::engine
