#include "replaying.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

#include "wait_for.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;

constexpr auto stop_limit = 25s;

bool is_over(const app_status& now) {
  return now.phase == app_phase::stopped || now.phase == app_phase::failed;
}

/// What only a person can mend.
bool is_final(const std::optional<failure>& trouble) {
  return trouble && trouble->kind == failure_kind::refused;
}

std::optional<failure> refusal(const app_status& now) {
  for (const auto& worker : now.workers)
    for (const auto& target : worker.targets) {
      if (is_final(target.trouble)) return target.trouble;
      for (const auto& each : target.halted)
        return failure{failure_kind::refused, target.cluster + ": " + to_string(each.where) + " stops at " + each.why,
                       "mend that and start it again, which goes on there"};
    }
  return std::nullopt;
}

const target_status* find(const app_status& in, const std::string& cluster, const std::string& lanes) {
  for (const auto& worker : in.workers)
    for (const auto& target : worker.targets)
      if (target.cluster == cluster && target.sink == lanes) return &target;
  return nullptr;
}

}  // namespace

replaying::replaying(visit& by, std::shared_ptr<const plan> what, pass which,
                     std::map<topic_partition, inquiry::range> there, app_options how)
    : by_{by}, what_{std::move(what)}, which_{std::move(which)}, there_{std::move(there)}, how_{std::move(how)} {
  for (const auto& [where, range] : there_) partitions_.push_back(where);
  how_.application.clear();
  how_.home = which_.cluster;
  // What one cluster refused concerns no other.
  if (which_.kind == letter_kind::refused) how_.clusters = {{how_.home, how_.clusters.at(how_.home)}};
  how_.state.clear();
  how_.threads = 1;
  how_.leave_on_stop = true;
  // The outputs hold what did not fail.
  how_.fresh = true;
}

result<void> replaying::run(std::stop_token stop, letters_replayed& into) {
  if (is_finished(nullptr)) return {};
  app running{what_, how_};
  if (auto started = running.start(); !started) return started;
  std::optional<failure> refused;
  bool is_done = false;
  wait_for(stop, [&] {
    const auto now = running.status();
    refused = refusal(now);
    is_done = is_finished(&now);
    return is_done || is_over(now);
  });
  running.stop(stop_limit);
  count(running.status(), into);
  if (auto over = running.wait(); !over) return over;
  if (refused) return tl::unexpected{*refused};
  if (!is_done)
    return fail(failure_kind::retriable, "the replay was broken off", "start it again: it goes on where it was");
  return {};
}

// Every partition is at its end, or stopped, on every cluster. One that is away is not asked: the replay waits for it,
// and says so.
bool replaying::is_finished(const app_status* now) {
  for (const auto& [cluster, lanes] : sites_of(*what_, which_.cluster)) {
    const auto* there = now ? find(*now, cluster, lanes) : nullptr;
    if (there && is_final(there->trouble)) continue;
    if (now && !(there && there->ready)) return false;
    const auto places = by_.at(cluster).places(names_of(*what_, which_.cluster, lanes), partitions_, 0ms);
    if (!places) return false;
    for (const auto& [where, range] : there_) {
      const auto place = places->find(where);
      if (place != places->end() && place->second >= range.second) continue;
      const bool is_halted =
          there && std::ranges::find(there->halted, where, &halted_partition::where) != there->halted.end();
      if (!is_halted) return false;
    }
  }
  return true;
}

void replaying::count(const app_status& now, letters_replayed& into) const {
  for (const auto& worker : now.workers) {
    if (worker.nodes.empty()) continue;
    const auto& letters = worker.nodes.back();
    std::uint64_t tries = 0;
    for (const auto& node : worker.nodes) into.failed += node.dead_lettered, tries += node.retried;
    for (const auto& target : worker.targets) into.failed += target.dead_letters;
    into.replayed += letters.received - std::min(letters.received, letters.skipped + tries);
    into.passed_over += letters.skipped;
    into.dropped += letters.dropped;
  }
}

}  // namespace flow
