#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/names.hpp"
#include "engine/position.hpp"
#include "inquiry.hpp"

#include <flow/app.hpp>
#include <flow/dead_letter.hpp>
#include <flow/plan.hpp>
#include <flow/replay.hpp>

namespace flow {

/// A program that takes letters through again: those of one kind, on one cluster.
struct pass {
  std::string cluster;
  letter_kind kind;
};

/// What those programs are called, and where they have their positions.
engine::names names_of(const plan& replay, const std::string& cluster, const std::string& lanes);
/// The clusters and lanes that a replay of what lies on `cluster` writes.
std::set<std::pair<std::string, std::string>> sites_of(const plan& replay, const std::string& cluster);

/// One look at the dead letters of a topology: where they lie, what becomes of them, and whom to ask. `how` and
/// `others` outlive it.
class visit {
 public:
  visit(std::shared_ptr<const plan> what, const app_options& how, const std::vector<std::string>& others);

  /// Home first.
  std::vector<std::string> clusters() const;
  std::vector<pass> passes_on(const std::string& cluster) const;
  /// Keys may be parked there.
  bool parks_on(const std::string& cluster) const;
  bool is_parked(const letter& what, bytes key) const { return !key.is_null() && what_->parks(what); }

  inquiry& at(const std::string& cluster) { return asked_.at(cluster); }
  /// What belongs to the program itself on a cluster.
  engine::names own_names() const { return {how_.application, how_.home}; }
  /// What its lanes there have parked, by source partition.
  result<std::map<topic_partition, engine::parking>> parked_on(const std::string& cluster);
  /// The partitions of the letters' topics on a cluster.
  result<std::vector<topic_partition>> partitions(const std::string& cluster);
  /// `missing` if `others` names a topic that is on none of the clusters whose partitions were asked for.
  result<void> check_others() const;
  /// `missing` if the topology has no node of this name.
  result<void> check_node(const std::string& name) const;
  /// Every cluster answers that a replay writes.
  result<void> reach(const plan& replay, const pass& which);

  std::shared_ptr<const plan> replay(const pass& which, const std::map<topic_partition, inquiry::range>& there,
                                     bool pass_over_strangers = false) const;
  /// How far a replay has come with each partition on every cluster and in all lanes that it writes.
  result<std::map<topic_partition, std::int64_t>> places(const plan& replay, const pass& which,
                                                         const std::vector<topic_partition>& of);

 private:
  std::string alias(const std::string& cluster) const;

  std::shared_ptr<const plan> what_;
  const app_options& how_;
  const std::vector<std::string>& others_;
  inquiries asked_;
  std::vector<std::string> topics_{};  // of all clusters that were asked
};

}  // namespace flow
