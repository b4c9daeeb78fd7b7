#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "allowance.hpp"
#include "commands.hpp"
#include "complaint.hpp"
#include "lane.hpp"
#include "loop.hpp"
#include "omissions.hpp"
#include "outputs.hpp"
#include "site.hpp"
#include "topic_settings.hpp"
#include "writing.hpp"

#include <flow/status.hpp>

namespace flow::engine {

/// One worker's work on one cluster that it writes to: which lanes it owns there, and who writes them.
class target final : private writing::owner {
 public:
  explicit target(site at);

  /// Runs until `stop`, or until going on is refused.
  task<void> run();
  /// Finishes the open transactions, then leaves the group.
  void stop();
  /// Finishes the open transactions, then writes nothing more until `resume`; its lanes stay its own.
  void pause();
  void resume();
  /// Finishes the open transactions and leaves the group; nothing more is done there until `add`.
  void remove();
  /// What has no position there begins at `where`.
  void add(first_place where);
  bool removed() const { return removed_ && !works_; }
  /// Takes at most so much per second from now on; nullopt: as much as there is.
  void limit(std::optional<std::uint64_t> bytes_per_second);
  /// When it has something to do at the latest, unless something happens.
  time_point due() const { return allowance_.next(); }
  /// Takes the group's events and hands waiting records on; called once per turn.
  void turn();

  target_status status() const;
  /// Whether this worker has that lane.
  bool owns(std::int32_t lane) const { return lanes_.contains(lane); }
  /// Why this target will never go on without a person.
  const std::optional<failure>& ended() const { return ended_; }

 private:
  task<void> work();
  void forget();
  /// Nothing is to be done there any more.
  bool is_over() const { return stopping_ || removed_; }
  task<void> identify();
  std::optional<failure> known_by_another_name() const;
  task<result<void>> prepare_topics();
  /// Before it begins: what the application writes for itself is deleted only when everybody has read it.
  task<result<void>> register_as_reader();
  std::string instance_id() const;
  std::unique_ptr<port::member> join();
  /// After the group has given it to somebody: whether that one is gone. False at a stop too.
  task<bool> place_is_given_up();
  task<void> follow_group();
  void assign(const port::group_event& event);
  void bring_together();
  void begin_session();
  task<void> close_session();
  void drop_session();
  bool ready() const;
  bool at_rest() const;
  bool paused() const { return paused_ && at_rest() && !ended_; }
  std::unique_ptr<writing> open_writing();
  std::vector<lane*> lanes_of(const writing& who) const;
  std::set<std::string> topics_in_charge() const;

  const port::membership& assignment() const override { return assignment_; }
  const class commands& commands() const override { return commands_; }
  const first_place* first() const override { return first_ ? &*first_ : nullptr; }
  std::uint64_t begun_in() const override { return begun_in_; }
  std::size_t writings() const override { return std::max<std::size_t>(writings_.size(), 1); }
  bool writes_as(const std::string& transactional_id) const override;
  std::string next_id() override;
  void part(writing& from, const std::vector<topic_partition>& sick) override;
  void end(const failure& why) override;
  class omissions& omissions() override { return omissions_; }
  class allowance& allowance() override { return allowance_; }
  void changed() override { changed_.notify(); }

  const site at_;
  outputs outputs_;
  class commands commands_;
  task<void> following_commands_;
  topic_settings settings_;
  task<void> following_settings_;
  std::vector<std::unique_ptr<writing>> writings_;  // the first has every lane that is not kept apart
  std::map<std::int32_t, writing*> kept_apart_;     // by lane, also while others own it
  int ids_used_ = 0;
  std::unique_ptr<port::member> member_;
  port::membership assignment_;
  std::map<std::int32_t, std::unique_ptr<lane>> lanes_;
  bool owns_lanes_ = false;  // the group has assigned them, and waits for none of them
  bool writes_ = false;      // the writings go on until they are told to finish
  bool paused_ = false;
  bool removed_ = false;
  bool works_ = false;
  std::optional<first_place> first_;
  std::uint64_t begun_in_ = 0;
  bool stopping_ = false;
  bool left_ = false;
  std::optional<result<std::string>> identity_;
  std::optional<failure> ended_;
  signal changed_;  // the group, the writings, or whether to go on
  complaint trouble_;
  class omissions omissions_;
  class allowance allowance_;
  std::optional<port::group_event> event_;
  target_status counted_;
};

}  // namespace flow::engine
