#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <flow/ports.hpp>

#include "partition_log.hpp"
#include "waiting_room.hpp"

namespace flow::memory {

class node;

/// A member's place in the generation that it has joined.
struct place {
  port::membership as;
  std::vector<std::int32_t> partitions;
};

struct join_request {
  std::string topic;
  std::string member_id;  ///< empty: a new member
  std::string instance_id;
  std::string client_id;
  port::milliseconds session;
  port::milliseconds rebalance_timeout;
};

/// A consumer group of the classic protocol: who is in it, and the offsets that it has stored.
class group {
 public:
  group(std::string name, node& home) : name_{std::move(name)}, home_{home} {}

  /// Lets a member in, or in again, and answers its id. An instance id that returns without a member id takes the
  /// place of the member that had it, which is fenced from then on.
  result<std::string> enter(const join_request& who);
  /// The member's place, once everybody has joined or has run out of time.
  outcome<place> seat(const std::string& member_id, const std::string& instance_id);
  /// Still here. True: the group wants to rebalance, join again.
  result<bool> heartbeat(const port::membership& as);
  void leave(const std::string& member_id);
  /// What a session's end does, at once; false if nobody has this member or instance id.
  bool expire_member(const std::string& id);
  /// The number of partitions of this topic is another one now.
  void topic_changed(const std::string& topic);
  std::vector<port::group_member> members() const;

  /// Offsets of a transaction that is still open.
  result<void> store_pending(producer_identity who, const port::membership& as,
                             const std::vector<port::group_offset>& offsets);
  bool in_transaction(producer_identity who) const { return pending_.contains(who.id); }
  /// The transaction's marker has arrived.
  void decide(producer_identity who, bool commit);
  outcome<std::vector<port::group_offset>> offsets(const std::vector<topic_partition>& where, port::isolation isolated);
  void forget_offsets() { offsets_.clear(); }

 private:
  struct member {
    join_request is;
    std::vector<std::int32_t> partitions;
    bool joined = false;  ///< in the rebalance that is going on
    port::time_point expires;
    bool watched = false;
  };
  using offset_map = std::map<topic_partition, port::group_offset>;

  const std::string& current_id(const std::string& instance_id) const;
  result<void> check_identity(const std::string& member_id, const std::string& instance_id) const;
  result<void> check(const port::membership& as) const;
  result<std::string> replace_instance(const std::string& old_id, const join_request& who);
  std::string new_member_id(const join_request& who);
  void remove(const std::string& member_id);
  void begin_rebalance();
  void complete_if_all_joined();
  void complete();
  void assign(const std::string& topic);
  void stay_alive(const std::string& member_id, member& alive);
  void watch_session(const std::string& member_id);

  std::string name_;
  node& home_;
  std::map<std::string, member> members_;         ///< by member id
  std::map<std::string, std::string> instances_;  ///< instance id → its member id
  std::int32_t generation_ = 0;
  bool rebalancing_ = false;
  waiting_room seated_;

  offset_map offsets_;
  std::map<std::int64_t, offset_map> pending_;   ///< by producer id
  std::map<std::int64_t, std::int32_t> epochs_;  ///< producer id → newest epoch seen here
  waiting_room decided_;
};

}  // namespace flow::memory
