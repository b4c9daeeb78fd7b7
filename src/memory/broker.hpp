#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "node.hpp"
#include "records.hpp"

namespace flow::memory {

/// An in-memory cluster with the transaction semantics of Apache Kafka, seen from outside: what a test or a demo does
/// to it. Pipelines reach it through `connect`. Everything here happens at once, whatever the latency, and may be
/// called from any thread. Whatever names a topic or partition that is not there throws std::out_of_range, and what a
/// topic does not accept throws std::invalid_argument.
class broker {
 public:
  /// `clock` outlives the broker and all its connections. `defaults` are settings of topics that do not say otherwise.
  broker(std::string name, scheduler& clock, faults with = {}, settings_map defaults = {});

  const std::string& name() const;
  void set_faults(const faults& with);

  void create_topic(const std::string& name, std::int32_t partitions = 1, settings_map settings = {});
  void add_partitions(const std::string& name, std::int32_t total);
  void change_settings(const std::string& name, const settings_map& settings);
  void delete_topic(const std::string& name);
  /// Deletes it and creates it empty, as it was.
  void recreate_topic(const std::string& name);
  /// What retention does: everything below `new_start` is gone.
  void truncate(const topic_partition& where, std::int64_t new_start);
  /// What the log cleaner does, to all that is stable.
  void compact(const std::string& topic);

  /// Writes from outside of any producer; answers the offset.
  std::int64_t append(const topic_partition& where, const record& what);
  /// Writes a transaction whose markers follow at once.
  void append_transaction(const std::vector<std::pair<topic_partition, record>>& records, bool commit);

  /// What a `read_committed` reader gets now, per partition in order.
  std::vector<std::vector<record>> contents(const std::string& topic);
  /// The group's last decided offset, -1 if there is none.
  std::int64_t group_offset(const std::string& group, const topic_partition& where);
  std::int64_t high_watermark(const topic_partition& where);
  std::int64_t last_stable(const topic_partition& where);

  /// Nothing gets in or out any more until `heal`: requests and answers wait, or time out.
  void cut();
  void heal();

  /// A partition loses its leader: nothing more is stored there until `recover`.
  void stall(const topic_partition& where);
  void recover(const topic_partition& where);

  void delay_markers(const topic_partition& where, delay by);
  /// The markers that decide a group's transactional offsets.
  void delay_group_markers(const std::string& group, delay by);

  /// What a group's offsets do when nobody has committed for too long.
  void expire_group_offsets(const std::string& group);
  /// Ends the session of a member or instance id, in whatever groups it is.
  void kill_session(const std::string& member_or_instance);

  std::shared_ptr<node> inside() const { return node_; }

 private:
  partition& at(const topic_partition& where);
  topic& at(const std::string& name);
  std::int64_t append(const topic_partition& where, producer_identity who, bool transactional, const record& what);

  std::shared_ptr<node> node_;
};

}  // namespace flow::memory
