#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

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
  /// Takes the group's events and hands waiting records on; called once per turn.
  void turn();

  target_status status() const;
  /// Why this target will never go on without a person.
  const std::optional<failure>& ended() const { return ended_; }

 private:
  task<void> identify();
  std::optional<failure> known_by_another_name() const;
  task<result<void>> prepare_topics();
  std::unique_ptr<port::member> join();
  task<void> follow_group();
  void assign(const port::group_event& event);
  void bring_together();
  task<void> close_session();
  void drop_session();
  bool ready() const;
  std::unique_ptr<writing> open_writing();
  std::vector<lane*> lanes_of(const writing& who) const;
  std::set<std::string> topics_in_charge() const;

  const port::membership& assignment() const override { return assignment_; }
  const class commands& commands() const override { return commands_; }
  std::size_t writings() const override { return std::max<std::size_t>(writings_.size(), 1); }
  bool writes_as(const std::string& transactional_id) const override;
  std::string next_id() override;
  void part(writing& from, const std::vector<topic_partition>& sick) override;
  void end(const failure& why) override;
  class omissions& omissions() override { return omissions_; }
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
  bool stopping_ = false;
  bool left_ = false;
  std::optional<result<std::string>> identity_;
  std::optional<failure> ended_;
  signal changed_;  // the group, the writings, or whether to go on
  complaint trouble_;
  class omissions omissions_;
  std::optional<port::group_event> event_;
  target_status counted_;
};

}  // namespace flow::engine
