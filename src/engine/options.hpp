#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "budget.hpp"

#include <flow/app.hpp>
#include <flow/log.hpp>
#include <flow/plan.hpp>
#include <flow/ports.hpp>

namespace flow::engine {

/// What one worker is told. All workers of an application have the same `application`, `home` and `lanes`.
struct options {
  std::string application;
  std::string home;      ///< what the application calls the cluster that is read
  std::string instance;  ///< this worker's own, stable over restarts: it names the group member and the transactions
  std::int32_t lanes = 32;
  guarantee promised = guarantee::exactly_once;
  start_at start;
  bool fresh = false;  ///< the outputs may hold records although no position exists
  bool leave_on_stop = true;
  std::chrono::milliseconds commit_every{100};
  std::optional<std::uint64_t> catch_up_limit{};  ///< bytes per second that each target takes at most
  bool share_seen = true;  ///< what dedups have seen, with the other workers
  budget share;            ///< of the application's memory
  std::chrono::milliseconds session{10'000};
  std::chrono::milliseconds max_poll_interval{30'000};
  std::chrono::milliseconds transaction_timeout{10'000};
  std::chrono::milliseconds discover_every{1'500};        ///< how often new topics and partitions are looked for
  std::chrono::milliseconds sync_settings_every{30'000};  ///< how often topics are compared with those that they follow
  std::chrono::milliseconds purge_every{30'000};          ///< how often what nobody reads any more is deleted
};

}  // namespace flow::engine
