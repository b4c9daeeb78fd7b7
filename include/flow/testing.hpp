#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flow/app.hpp>
#include <flow/destination.hpp>
#include <flow/plan.hpp>
#include <flow/raw_record.hpp>
#include <flow/status.hpp>
#include <flow/testing/drive.hpp>

/// Tests of a topology without any cluster: `drive` for one operator or stage, `simulation` for the whole, on several
/// in-memory clusters with the transaction semantics of Kafka.
namespace flow::testing {

/// What came to the destination of an ordered sink.
struct arrival {
  std::string instance;  ///< of the process that sent it
  raw_record what;
  std::string idempotency_key;
  std::int64_t fencing_token = 0;
  int attempt = 1;
  std::string cluster;
  topic_partition from;
  std::int64_t offset = 0;  ///< there
  std::uint32_t number = 0;
  std::optional<receipt> said;  ///< nullopt: nothing was answered
};

/// Steps of the protocol at which a worker can be crashed, in the order in which it passes them.
inline constexpr std::string_view steps[] = {"positions read", "begun", "sent", "offsets sent", "committed", "stored"};

/// Several clusters and any number of workers in one simulated world: the real engine, a clock that only moves when told
/// to, and dice from one seed. The same seed gives the same history, always.
///
///     simulation world{seed};
///     world.create_topic("home", "orders", 6);
///     world.write("home", "orders", 0, {.key = "k", .value = "v"});
///     world.start("one", topology, {.clusters = {{"home", {}}, {"tokyo", {}}}});
///     world.crash_at("one", "committed");
///     world.run_until([&] { return !world.is_running("one"); });
///     ...
///     EXPECT_EQ(world.read("tokyo", "orders"), ...);
///
/// Not for use by two threads.
class simulation {
 public:
  using duration = std::chrono::microseconds;

  explicit simulation(std::uint64_t seed = 1);
  ~simulation();
  simulation(const simulation&) = delete;
  simulation& operator=(const simulation&) = delete;

  /// A cluster comes to be when it is first named.
  void create_topic(const std::string& cluster, const std::string& topic, std::int32_t partitions = 1,
                    const std::map<std::string, std::string>& settings = {});
  /// A second name for a cluster, as if both led to the same servers.
  void add_name(const std::string& cluster, const std::string& other);
  void add_partitions(const std::string& cluster, const std::string& topic, std::int32_t total);
  void change_settings(const std::string& cluster, const std::string& topic,
                       const std::map<std::string, std::string>& settings);
  void delete_topic(const std::string& cluster, const std::string& topic);
  /// Deletes it and creates it empty, as it was.
  void recreate_topic(const std::string& cluster, const std::string& topic);
  /// As retention does: everything of this partition below `new_start` is gone.
  void delete_records(const std::string& cluster, const std::string& topic, std::int32_t partition,
                      std::int64_t new_start);
  /// Writes from outside of any topology; answers the offset.
  std::int64_t write(const std::string& cluster, const std::string& topic, std::int32_t partition,
                     const raw_record& what);
  /// Writes records of one partition as one transaction, which commits or aborts.
  void write_transaction(const std::string& cluster, const std::string& topic, std::int32_t partition,
                         const std::vector<raw_record>& records, bool commit);
  /// Tells the lanes of an application on this cluster to release what they have parked of a source topic, or of all.
  void release(const std::string& cluster, const std::string& application, const std::string& topic = {},
               const std::string& home = "home");
  /// What a `read_committed` reader gets now, per partition in order.
  std::vector<std::vector<raw_record>> read(const std::string& cluster, const std::string& topic);

  /// Stands for the destination of the ordered sinks of this name, in all processes that are started from now on.
  /// `says` is asked when a delivery arrives, which it does even if its sender has crashed; nullopt: its batch is never
  /// answered. Each way takes up to `longest`. Where nothing stands for it, a sink's function is called on arrival.
  void destination(const std::string& sink, std::function<std::optional<receipt>(const delivery&)> says,
                   duration longest = std::chrono::milliseconds{5});
  /// Everything that has arrived at the destinations of this name, in that order.
  const std::vector<arrival>& arrivals(const std::string& sink) const;

  /// Starts a process with one worker. `options.state`, `threads` and `connect` are the simulation's; its instance is
  /// its name here, unless `options.instance` says otherwise: two processes of one instance are a mistake to be tested.
  void start(const std::string& instance, const topology& what, app_options options);
  void start(const std::string& instance, std::shared_ptr<const plan> what, app_options options);
  /// As by a SIGTERM: `is_running` turns false when it has finished.
  void stop(const std::string& instance);
  /// As by a SIGKILL: what it had open stays open on the clusters. Its state directory stays as well.
  void crash(const std::string& instance);
  /// Crashes when it passes `step` for the `nth` time from now.
  void crash_at(const std::string& instance, std::string_view step, int nth = 1);
  /// As by a SIGSTOP, and SIGCONT. What it has asked for goes on; its sessions end in their time.
  void freeze(const std::string& instance);
  void freeze_at(const std::string& instance, std::string_view step, int nth = 1);
  void thaw(const std::string& instance);
  /// Its state directory is lost.
  void lose_state(const std::string& instance);

  /// What `app` has for that, of this process.
  void pause(const std::string& instance, const std::string& cluster, const std::string& sink = {});
  void resume(const std::string& instance, const std::string& cluster, const std::string& sink = {});
  void remove(const std::string& instance, const std::string& cluster);
  void add(const std::string& instance, const std::string& cluster, first_place where);
  void limit(const std::string& instance, const std::string& cluster, std::optional<std::uint64_t> bytes_per_second);

  bool is_running(const std::string& instance) const;
  bool is_frozen(const std::string& instance) const;
  worker_status status(const std::string& instance) const;
  /// Why it ended without being told to.
  std::optional<failure> ended(const std::string& instance) const;

  /// No request gets to a cluster and no answer back until it is healed.
  void cut(const std::string& cluster);
  void heal(const std::string& cluster);
  /// One partition loses its leader: nothing more is stored there until it recovers.
  void stall(const std::string& cluster, const topic_partition& where);
  void recover(const std::string& cluster, const topic_partition& where);

  /// Milliseconds since 1970 UTC.
  std::int64_t wall_clock() const;
  void advance(duration by);
  /// Moves time on until `done`, looked at after every event; false if it is not within `limit`.
  bool run_until(const std::function<bool()>& done, duration limit = std::chrono::minutes{5});
  /// The same dice that the clusters use.
  std::uint64_t random();
  /// What the workers have logged, with the time, for a failing test to print.
  const std::vector<std::string>& log() const;

  class inside;
  inside& internals() { return *inside_; }  ///< for tests of flow itself

 private:
  std::unique_ptr<inside> inside_;
};

}  // namespace flow::testing
