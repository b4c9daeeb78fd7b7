#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>

#include <flow/ports.hpp>

#include "partition_log.hpp"
#include "waiting_room.hpp"

namespace flow::memory {

class node;

/// The cluster's memory of every transactional id. A transaction ends in two steps, as in Kafka: the decision, which
/// is what EndTxn answers, and then a marker for each partition and group, each after a delay of its own.
class transaction_coordinator {
 public:
  explicit transaction_coordinator(node& home) : home_{home} {}

  /// Ends what the id has open, waits for all its markers, and answers a new epoch.
  outcome<producer_identity> init(const std::string& transactional_id, port::milliseconds timeout);
  /// Makes partitions or a group part of the transaction, which begins with the first of them.
  outcome<void> add(const std::string& transactional_id, producer_identity who,
                    std::span<const topic_partition> partitions);
  outcome<void> add_group(const std::string& transactional_id, producer_identity who, const std::string& group);
  /// Decides the transaction. Any EndTxn of the current epoch counts, whichever transaction it was meant for.
  outcome<void> end(const std::string& transactional_id, producer_identity who, bool commit);

  /// Whether a partition or group may take part in what is open now (KIP-890).
  result<void> verify(const std::string& transactional_id, producer_identity who, const topic_partition& where) const;
  result<void> verify_group(const std::string& transactional_id, producer_identity who, const std::string& group) const;

 private:
  enum class stage { empty, ongoing, committing, aborting, committed, aborted };
  struct transaction {
    producer_identity who;
    stage at = stage::empty;
    port::milliseconds timeout{0};
    std::uint64_t number = 0;  ///< how many this id has begun
    std::set<topic_partition> partitions;
    std::set<std::string> groups;
    std::size_t markers_left = 0;
    waiting_room settled;

    bool deciding() const { return at == stage::committing || at == stage::aborting; }
  };

  outcome<transaction*> join_transaction(const std::string& transactional_id, producer_identity who);
  result<const transaction*> find_open(const std::string& transactional_id, producer_identity who) const;
  void watch_timeout(transaction& watched);
  void decide(transaction& decided, bool commit);
  void write_marker(transaction& of, const topic_partition& where, bool commit);
  void marker_written(transaction& of);

  node& home_;
  std::map<std::string, transaction, std::less<>> transactions_;
};

}  // namespace flow::memory
