#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <variant>

#include <spdlog/fwd.h>

#include <flow/log.hpp>
#include <flow/plan.hpp>
#include <flow/ports.hpp>
#include <flow/status.hpp>

namespace flow {

class topology;

/// What is promised to each cluster that is written to.
enum class guarantee {
  exactly_once,  ///< per target, for `read_committed` readers: each record once, in the order of its partition
  at_least_once  ///< the same lanes and order without transactions around the records; a crash may repeat some
};

/// librdkafka properties of a cluster, `bootstrap.servers` among them.
using cluster_properties = std::map<std::string, std::string>;

/// Opens a connection of one worker to one cluster.
using connector = std::function<std::unique_ptr<port::cluster>(
    const std::string& name, const cluster_properties& properties, const std::string& client_id,
    std::shared_ptr<port::mailbox> mailbox, log_sink log)>;

/// How and where a topology is run. An app cannot do without `clusters`, and checks everything before it starts.
struct app_options {
  std::string application{};           ///< empty: the topology's name
  std::string instance{};              ///< of this process, stable over restarts; empty: the host's name
  std::string home{flow::home};        ///< which of the clusters is read
  std::map<std::string, cluster_properties> clusters{};
  int threads = 1;                     ///< workers; each has a thread, a reader, and a producer per target
  std::filesystem::path state = "state";  ///< directory of this process; empty: nothing is kept on this machine
  guarantee promised = guarantee::exactly_once;
  start_at start{};                    ///< where to begin what has no position yet
  std::chrono::milliseconds commit_every{100};  ///< the longest that a transaction lasts
  std::optional<std::uint64_t> catch_up_limit{};  ///< as `app::limit` of each cluster; unset: none
  std::int32_t lanes = 32;             ///< the most workers that can share the work; fixed at the first start
  std::size_t memory = 256u << 20;     ///< bytes: everything buffered, all workers and targets together
  /// Bytes: what dedups have seen, all workers together. What is more goes to disk, into the state directory, or into
  /// that for temporary files if nothing is kept; half a byte for each id stays in any case.
  std::size_t dedup_memory = std::size_t{1} << 30;
  /// What dedups have seen is shared by a topic of the application's own on home, `<application>.<home>.seen.internal`,
  /// so that who takes partitions over need not read them again. The same in all processes.
  bool share_seen = true;
  bool leave_on_stop = true;           ///< false: the lanes wait for a restart of the same instance
  bool fresh = false;                  ///< begin although the outputs hold records and no position exists
  std::chrono::milliseconds session{10'000};  ///< after which the lanes of a process that died go to others
  std::shared_ptr<spdlog::logger> logger{};  ///< unset: one of the application's own, to standard error
  connector connect{};                 ///< unset: Kafka
};

/// Where another target has come to.
struct place_of {
  std::string cluster;
};

/// Where a target begins that is added: `beginning`, `end`, `at(time)`, or `place_of{"oregon"}`.
using first_place = std::variant<start_at, place_of>;

/// Runs a topology inside any program: no signal handlers, no globals. Several apps live side by side in one process, each
/// with its own workers and its own state directory.
///
/// User code in operators is called on the threads of the workers, named `flow-0`, `flow-1`, ...: const callables, by
/// several threads at once if `threads` > 1, always in order for one source partition. While one is called its worker
/// commits nothing: what takes longer for one record than `session` is done over and over, and belongs into an
/// `ordered_sink`. Members may be called from any thread, but not from user code in operators. An app that was moved from
/// can only be assigned to or destroyed.
class app {
 public:
  /// Checks topology and options, and starts nothing.
  /// @throws topology_error with every flaw of both and its remedy.
  app(const topology& what, app_options options);
  app(std::shared_ptr<const plan> what, app_options options);
  app(app&&) noexcept;
  app& operator=(app&&) noexcept;
  /// Stops, as `stop` does with a deadline of 10 s.
  ~app();

  /// Opens the state directory and starts the workers; unreachable clusters are tried again for as long as it takes.
  /// An app runs once; only where the state directory could not be opened may it be tried again.
  result<void> start();
  /// `start`, and asks for a stop when `stop` is requested.
  result<void> start(std::stop_token stop);
  /// Asks the workers to commit what is under way and leave. Returns at once.
  void request_stop();
  /// Asks, and waits. What is not finished at the deadline is abandoned: nothing is lost, the next start takes it up.
  /// A deadline of zero asks for nothing and abandons at once, as if the process had been killed. An operator that is
  /// running is waited for in any case. Afterwards no thread of the app is left, and the state directory is free.
  /// @return false if something had to be abandoned.
  bool stop(std::chrono::milliseconds deadline);
  /// Waits until it has stopped, or cannot go on; returns at once if it was not started. Leaves what `stop` leaves.
  result<void> wait();

  /// Ends what is open on a target, then reads nothing more for it and writes nothing more to it until `resume`. Its
  /// lanes stay where they are, and nothing else waits. `resume` goes on at the position, at its own pace until it has
  /// caught up. For a `sink` with lanes of its own (`ordered_sink`): of that one, on home.
  ///
  /// Said to all workers of this process, and to no other process: what is to pause in all of them is told to each. Kept
  /// for as long as the app runs; before `start` it holds from the beginning. Returns at once; `status` says when a
  /// target is paused.
  /// @return `refused`: no sink of the topology writes there.
  result<void> pause(const std::string& cluster, const std::string& sink = {});
  result<void> resume(const std::string& cluster, const std::string& sink = {});

  /// From now on a cluster takes at most so many bytes per second from this process, all workers together: of keys,
  /// values and headers, before compression. That shows when it is behind, or more comes in. It then reads for itself,
  /// and nothing else waits for it; given less than what comes in, it never catches up. nullopt: as much as there is.
  /// Each worker has an equal share, and averages over a tenth of a second. Heard and kept as `pause` is.
  /// @return `refused`: no sink of the topology writes there, or it would take nothing.
  result<void> limit(const std::string& cluster, std::optional<std::uint64_t> bytes_per_second);

  /// Ends what is open on a cluster and leaves its group there, so that other processes take its lanes over. What was
  /// written stays, positions too. Before `start` it is not begun. Only `add` brings it back; it has to be one that the
  /// topology writes to. Heard and kept as `pause` is.
  /// @return `refused`: no sink of the topology writes there, or it is removed, or not removed.
  result<void> remove(const std::string& cluster);
  /// Takes it up again where its positions are. Source partitions without one there begin at `where`, if they were there
  /// at that time; `place_of` another target is what that one has committed, or less, and the beginning of what it has
  /// not read. This is remembered once the lanes are taken over: from then on what counts are the positions.
  result<void> add(const std::string& cluster, first_place where);

  app_status status() const;
  /// `changed` is called with the new status whenever phase, readiness or trouble of a worker has changed, or what it was
  /// told of a target: on a worker's thread, one call at a time. It may call anything but `stop` and `wait`; what it
  /// throws is logged. To be set before `start`.
  void on_change(std::function<void(const app_status&)> changed);
  /// What is logged from now on, at least; of a logger that was handed in it is that logger's level.
  void log_level(severity least);

 private:
  class runtime;
  std::unique_ptr<runtime> runtime_;
};

}  // namespace flow
