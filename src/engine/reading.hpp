#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <flow/topic_selection.hpp>

#include "complaint.hpp"
#include "intake.hpp"
#include "loop.hpp"
#include "mapping.hpp"
#include "omissions.hpp"
#include "options.hpp"

namespace flow::engine {

/// Everything that a worker does on the cluster that is read: finds the source partitions, and reads them once for all
/// targets that are at the same place, and have parked the same. A target that falls behind is read for separately
/// until it has caught up. And letters are read here that go through the operators again.
class reading {
 public:
  struct surroundings {
    engine::loop& loop;
    const engine::options& options;
    const plan& topology;
    port::cluster& home;
    port::state& state;
    spill& beyond;
    port::wake wake;
    std::function<std::int64_t()> wall_clock;
    log_sink log;
  };
  explicit reading(surroundings with);
  ~reading();

  /// Looks for topics and partitions for as long as the worker runs.
  task<void> discover();
  /// Sources are known, and `changed` fires when there are more of them.
  bool ready() const { return version_ > 0; }
  std::uint64_t version() const { return version_; }
  signal& changed() { return changed_; }

  port::cluster& home() { return with_.home; }
  const std::string& cluster_id() const { return cluster_id_; }
  /// A source of the topology takes this topic's records, if it is there, and whatever comes to it later.
  bool selects(std::string_view topic) const;
  const mapping& how() const { return how_; }
  class memories& memories() { return memories_; }
  /// Takes in what other workers have seen that the dedups here have to know for these courses.
  task<void> learn(std::vector<course*> lacking);
  void save_memories();
  /// The partition was there when the cluster was last asked for all of them.
  bool is_listed(const topic_partition& where) const {
    const auto topic = listed_.find(where.topic);
    return topic != listed_.end() && where.partition < topic->second;
  }
  const std::vector<std::unique_ptr<source>>& sources() const { return sources_; }
  std::vector<const source*> of_task(std::int32_t task) const;
  const complaint& trouble() const { return trouble_; }
  /// Why nothing of this topology can be read without a person.
  const std::optional<failure>& ended() const { return ended_; }

  /// Reads for a course from where it is, together with others if they are there too. Does nothing yet while what the
  /// dedups have to know for it is being read again.
  void board(course& who);
  void leave(course& who);

  /// The letters of this partition that lie there, as a source of its own.
  source& letters_of(const source& from, const topic_partition& where, const std::string& cluster);
  /// As `board`, for a course through letters that lie on `there`.
  void board_letters(course& who, port::cluster& there);

  /// `graph::call` for a partition that a process reads.
  std::optional<blame> call(std::uint32_t process, const source& from, const keyed_state::alarm& due,
                            const transit& how) {
    return operators_.first().call(process, from.entries.front(), due, how);
  }

  /// Takes what has arrived through the operators; false if there was nothing to do.
  bool run();
  /// Nothing that has arrived waits to be taken.
  bool idle() const { return idle_; }
  /// Something that has arrived waited for room at a target, and there is room now.
  bool can_go_on() const;
  /// What the operators have seen, each record once, however often it is read.
  const std::vector<node_counts>& counts() const { return operators_.counts(); }
  /// When it has something to do at the latest, unless something arrives.
  time_point due() const;

 private:
  std::optional<failure> missing_among(const std::vector<port::topic_description>& topics) const;
  std::optional<failure> not_co_partitioned(const std::vector<port::topic_description>& topics) const;
  /// Up to where a partition of these sources is read; nullopt: not at all.
  std::optional<std::int64_t> end_of(const topic_partition& where, const std::vector<std::uint32_t>& specs) const;
  bool add_sources(const std::vector<port::topic_description>& topics);
  bool holds_up_others(const destination* slow) const;
  void let_laggards_leave();
  std::unique_ptr<intake> open_intake(port::cluster& of);
  struct look_back;
  void begin_look_back(const course& who);
  bool go_on_looking_back();
  using intakes = std::vector<std::pair<destination*, std::unique_ptr<intake>>>;
  /// The intake of a target that reads for itself.
  std::unique_ptr<intake>& own_intake(intakes& among, destination* to, port::cluster& of);
  std::unique_ptr<intake>& own_intake(destination* to) { return own_intake(catching_up_, to, with_.home); }

  // learning.cpp: what dedups know from other workers
  task<void> settle_dedup_key();
  task<void> agree(std::string own);
  struct learning;
  task<void> learn_of_lane(std::int32_t lane, const std::vector<course*>& lacking);

  surroundings with_;
  const mapping& how_;
  std::vector<topic_selection> selections_;  // one for each source of the plan
  std::string cluster_id_;
  std::uint64_t version_ = 0;
  signal changed_;
  complaint trouble_;
  std::optional<failure> ended_;
  std::vector<std::unique_ptr<source>> sources_;
  std::map<topic_partition, source*> known_;
  std::map<std::string, std::int32_t> listed_;  // topics and their partition counts
  class operators operators_;
  shared_pages shared_pages_;
  task<void> sharing_;
  class memories memories_;
  bool learning_ = false;
  signal learned_;
  task<void> agreeing_;
  std::optional<std::optional<std::string>> agreed_;
  class omissions omissions_;
  std::unique_ptr<intake> shared_;
  intakes catching_up_;
  intakes releasing_;  // each reads letters, on its target's cluster
  std::map<std::pair<std::string, source_id>, std::unique_ptr<source>> letters_;  // by cluster
  std::unique_ptr<intake> backwards_;
  std::map<source_id, std::unique_ptr<look_back>> look_backs_;
  bool idle_ = true;
  // How long targets have waited for a slower one lately, and until when that is known.
  duration held_up_{};
  time_point looked_at_{};
  bool holding_up_ = false;
};

}  // namespace flow::engine
