#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include <flow/ports.hpp>

#include "faults.hpp"
#include "group.hpp"
#include "scheduler.hpp"
#include "topic.hpp"
#include "transaction_coordinator.hpp"

namespace flow::memory {

/// One opened producer, as both of its ends see it.
struct producer_session {
  std::string transactional_id;  ///< empty: idempotent only
  std::size_t largest_batch = default_batch;
  producer_identity who;
  std::set<topic_partition> partitions;  ///< that the open transaction has been told about
  std::set<std::string> groups;
  std::uint64_t transaction = 0;  ///< which one the client has open; what was sent for another one is not taken
  std::optional<failure> failed;  ///< nothing more is stored: order would be lost
};

/// All of one cluster. Whoever calls anything here holds `mutex`, and work that was given to `after` runs with it held;
/// so does everything within the ports.
class node : public std::enable_shared_from_this<node> {
 public:
  node(std::string name, scheduler& clock, faults with, settings_map defaults);

  std::mutex mutex;

  const std::string& name() const { return name_; }
  faults& conditions() { return faults_; }
  scheduler& clock() { return clock_; }
  port::time_point now() { return clock_.now(); }
  void at(port::time_point when, std::function<void()> work);
  void after(microseconds delay, std::function<void()> work) { at(now() + delay, std::move(work)); }
  microseconds draw(delay from);
  std::uint64_t draw_number() { return clock_.random(); }
  bool happens(double chance);

  bool is_cut() const { return cut_; }
  void set_cut(bool cut);
  waiting_room& beyond_the_cut() { return beyond_the_cut_; }
  /// A partition without a leader: neither records nor markers are stored there, and nobody answers for its offsets.
  void set_stalled(const topic_partition& where, bool stalled);
  bool is_stalled(const topic_partition& where) const { return stalled_.contains(where); }

  std::map<std::string, topic, std::less<>>& topics() { return topics_; }
  result<void> create_topic(const port::new_topic& wanted);
  result<void> add_partitions(const std::string& name, std::int32_t total);
  result<void> delete_records(const topic_partition& where, std::int64_t below);
  result<void> change_settings(const std::string& name, const settings_map& settings);
  void delete_topic(const std::string& name);
  result<partition*> find(const topic_partition& where);
  std::int32_t partition_count(const std::string& topic) const;

  /// Stores a batch, each partition's part of it whole or not at all; answers the offsets that are wanted.
  outcome<std::vector<std::int64_t>> produce(producer_session& by, std::uint64_t transaction, const outgoing& batch,
                                             const std::vector<std::string>& topics);
  outcome<void> store_offsets(producer_session& by, std::uint64_t transaction, const port::membership& as,
                              const std::vector<port::group_offset>& offsets);
  /// For whoever writes from outside: past all producers, but not past the topic's own rules.
  result<std::int64_t> append(const topic_partition& where, producer_identity who, bool transactional,
                              std::vector<fetched_record> records, std::size_t largest_batch = default_batch);

  group& group_named(const std::string& name) { return groups_.try_emplace(name, name, *this).first->second; }
  std::map<std::string, group>& groups() { return groups_; }
  transaction_coordinator& coordinator() { return coordinator_; }

  std::int64_t new_producer_id() { return ++producers_; }
  /// Answers whether it could be written.
  bool write_marker(const topic_partition& where, producer_identity who, bool commit);
  /// How long a decision takes to arrive at a partition, or at a group's offsets.
  microseconds marker_delay(const std::variant<topic_partition, std::string>& where);
  void set_marker_delay(std::variant<topic_partition, std::string> where, delay by) { marker_delays_[where] = by; }

 private:
  outcome<std::vector<std::int64_t>> try_to_produce(producer_session& by, const outgoing& batch,
                                                    const std::vector<std::string>& topics);
  result<void> admit(producer_session& by, const topic_partition& where);
  void topic_changed(const std::string& name);

  std::string name_;
  scheduler& clock_;
  faults faults_;
  settings_map defaults_;
  bool cut_ = false;
  waiting_room beyond_the_cut_;
  std::set<topic_partition> stalled_;
  std::map<std::string, topic, std::less<>> topics_;
  std::map<std::string, group> groups_;
  transaction_coordinator coordinator_{*this};
  std::int64_t producers_ = 0;
  std::map<std::variant<topic_partition, std::string>, delay> marker_delays_;
};

}  // namespace flow::memory
