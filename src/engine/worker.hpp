#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loop.hpp"
#include "options.hpp"
#include "purging.hpp"
#include "reading.hpp"
#include "target.hpp"
#include "targets.hpp"

#include <flow/status.hpp>

namespace flow::engine {

/// The engine of one worker: everything between the ports. It has no thread, no clock and no I/O of its own; whoever
/// runs it calls `turn` when an answer has come, something became readable, or the time that the last turn named.
class worker {
 public:
  struct surroundings {
    engine::options options;
    std::shared_ptr<const plan> topology;
    /// By the names that the topology uses; the home cluster under `options.home`.
    std::map<std::string, std::unique_ptr<port::cluster>> clusters;
    port::state& state;
    spill& beyond;  ///< of what dedups have seen, all workers together
    port::probe& probe;
    port::wake wake;                           ///< called when a turn has something to do; from any thread
    std::function<std::int64_t()> wall_clock;  ///< milliseconds since 1970 UTC
    log_sink log;
    /// For each ordered sink, once. Its reports come as replies of ports do, and not at all once it is destroyed.
    std::function<std::unique_ptr<flow::destination>(const sink_spec&)> open_destination{};
  };
  explicit worker(surroundings with);

  /// Does everything that can be done now. Returns when it wants its next turn at the latest; `now` for at once.
  time_point turn(time_point now);
  /// Finishes open transactions, leaves the groups; `stopped` says when that is done.
  void stop();
  bool stopped() const;
  /// One of `targets_of` the topology.
  target& at(const target_name& which) { return *targets_.at(which); }
  /// Why it has stopped, or can never go on, without being told to.
  std::optional<failure> ended() const;
  worker_status status() const;

 private:
  surroundings with_;
  engine::loop loop_;
  engine::reading reading_;
  std::map<std::string, std::string> identities_;
  std::map<target_name, std::unique_ptr<target>> targets_;
  std::optional<purging> purging_;
  std::vector<task<void>> running_;  // one for each target
  task<void> discovering_, purges_;
  bool begun_ = false;
};

}  // namespace flow::engine
