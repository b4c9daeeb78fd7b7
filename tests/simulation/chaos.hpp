#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "memory/scheduler.hpp"
#include "simulation.hpp"

#include <flow/flow.hpp>
#include <flow/testing.hpp>

namespace flow::testing {

/// A topology on several processes and clusters, and everything that can happen to them, all drawn from one seed. What
/// decides is the output topics alone: at any time each partition holds a beginning of what it has to hold, and when
/// all is healed again, everything.
class chaos {
 public:
  explicit chaos(std::uint64_t seed);

  /// Runs to the end; why the outputs are wrong, if they are. Once.
  std::optional<std::string> run();
  /// What was done, and what the workers said. The same seed gives the same history.
  const std::vector<std::string>& history() const { return world_.log(); }

 private:
  using records = std::vector<std::vector<raw_record>>;  // per partition
  struct output {
    std::string cluster, topic;
    std::function<std::optional<raw_record>(const raw_record&)> of;  // a source record; nullopt: not in this output
    records expected;
    bool letters = false;  // with headers of flow's behind their own
    bool by_key = false;   // in order only for each key
    std::int32_t spread_over = 0;  // so many partitions by key, if it does not keep the source's
  };
  struct fault {
    const char* name;
    void (chaos::*happen)();
  };
  static const std::vector<fault>& faults();

  void build();
  void choose_topology();
  void begin_turmoil();
  void end_turmoil();
  std::optional<std::string> go_on_for(memory::microseconds how_long);
  std::optional<std::string> wrong_now();
  std::optional<std::string> wrong_in(const output& where);
  static std::optional<std::string> wrong_by_key(const std::string& name, const std::vector<raw_record>& actual,
                                                 const std::vector<raw_record>& expected);
  bool complete();

  void write_something();
  raw_record new_record(std::int32_t partition);
  receipt answer(const delivery& what);
  bool is_repeated(raw_record what, std::int32_t partition);
  std::vector<raw_record> processed(const raw_record& what, std::int32_t partition);
  /// What names of the lanes on this cluster begin with.
  std::string lanes_on(const std::string& cluster) const;
  void start(const std::string& instance);
  void revive_the_dead();

  void crash();
  void crash_at_a_step();
  void crash_two_at_steps();
  void crash_without_power();
  void freeze();
  void freeze_at_a_step();
  void stop();
  void rebalance();
  void cut();
  void stall();
  void stall_some();
  void slow_network();
  void slow_records();
  void late_markers();
  void late_lane_markers();
  void late_group_markers();
  void failed_batches();
  void lost_commits();
  void late_ends();
  void expire_offsets();
  void compact_lanes();
  void release();
  void pause();
  void limit();
  void remove();

  std::uint64_t below(std::uint64_t bound) { return dice_.roll() % bound; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <typename T>
  const T& one_of(const std::vector<T>& all) {
    return all[below(all.size())];
  }
  memory::microseconds between(std::int64_t least_ms, std::int64_t most_ms);
  void after(memory::microseconds delay, std::function<void()> what);
  void note(const std::string& what) { world_.internals().note("-- " + what); }
  memory::broker& cluster(const std::string& name) { return world_.internals().cluster(name); }
  /// A bad way to a cluster, for a while.
  void suffer(const std::string& what, const std::function<void(memory::faults&)>& change);

  memory::dice dice_;
  memory::dice own_;  // of what not every seed has, so that the others stay what they were
  memory::dice disk_;
  simulation world_;
  std::shared_ptr<const plan> plan_;
  app_options options_;
  std::vector<std::string> clusters_, targets_, instances_;
  std::map<std::string, memory::faults> conditions_;
  std::vector<output> outputs_;
  std::int32_t partitions_ = 1;
  bool keys_of_partitions_ = false;  // each partition has keys of its own
  bool null_values_ = true;
  std::chrono::milliseconds window_{0};  // within which ids are not repeated, if they are
  std::shared_ptr<bool> mended_;         // what failed, and parked keys
  bool is_timed_ = false;                // records have a time of their own
  std::map<std::int32_t, std::vector<raw_record>> before_;
  std::map<std::int32_t, stream_clock> clocks_;
  bool disk_fails_ = false;              // now and then, under what the dedups have seen
  bool is_processed_ = false;            // records are counted by key
  struct counted_key {
    int count = 0;
    std::int64_t until = 0;
  };
  std::map<std::int32_t, std::map<std::string, counted_key>> counted_;  // null is what no key is
  bool healed_ = false;
  bool finished_ = false;
  int written_ = 0;
};

}  // namespace flow::testing
