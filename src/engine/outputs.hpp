#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "lane.hpp"
#include "loop.hpp"
#include "routes.hpp"
#include "site.hpp"

namespace flow::engine {

/// The topics of one cluster that a worker writes to: finds, makes and checks them.
class outputs {
 public:
  explicit outputs(const site& at);

  /// Something written here would be read again: this is the home cluster, and the topic is among its sources.
  std::optional<failure> leads_back() const;
  /// The positions' topic: there, and as the protocol needs it.
  task<result<void>> prepare_lanes_topic();
  /// Before that, the topic of what its process keeps.
  task<result<void>> prepare_changelog();
  std::string changelog() const;
  /// The topic of what its lanes are told, where something may be parked.
  task<result<void>> prepare_commands_topic();
  /// Finds out where everything goes, and makes what is missing if it may, partitions too. What cannot be made is
  /// `missing`; where a partition is missing, the records that belong there are refused.
  task<result<void>> prepare_routes();
  const std::optional<failure>& missing() const { return missing_; }
  /// From the next `prepare_routes` on, a topic that a record names is known as well.
  void ask_for(std::uint32_t sink, const std::string& topic) { asked_for_.emplace(sink, topic); }

  const class routes& routes() const { return routes_; }
  void forget_routes() { routes_.clear(); }
  /// A topic's number is its place here; whoever writes asks its producer for them in this order.
  const std::vector<std::string>& names() const { return names_; }
  static constexpr topic_id lanes_topic = 0;

  /// What this lane writes may go to `where`.
  bool concern(const lane& of, const topic_partition& where) const;

 private:
  struct output {
    std::uint32_t sink;
    const source* from;  // nullptr: whatever names the topic
    std::string topic;
  };
  struct wanted_topic {
    const source* like;   // whose topic of the home cluster it is made after
    const sink_spec* by;  // that asked for it first
    std::set<std::string> from{};  // topics of the home cluster
    std::int32_t partitions = 0;  // as many as it needs to keep those of all sources
  };
  using known_topics = std::map<std::string, port::topic_description>;
  task<result<known_topics>> find_or_create(std::map<std::string, wanted_topic> wanted);
  task<result<void>> grow(const std::map<std::string, wanted_topic>& wanted, known_topics& known);
  task<result<bool>> outputs_hold_records();
  task<result<std::optional<port::topic_description>>> find_own(std::string topic);
  task<result<port::topic_description>> make_own(port::new_topic wanted);
  /// Why a topic with a partition for each lane cannot keep `what`.
  std::optional<failure> unfit_for_lanes(const port::topic_description& topic, const std::string& what) const;
  bool names_topics(std::uint32_t sink) const;
  std::vector<output> all() const;
  topic_id number_of(const std::string& topic);

  const site& at_;
  class routes routes_;
  std::vector<std::string> names_;
  std::set<std::pair<std::uint32_t, std::string>> asked_for_;  // topics that records name, by sink
  std::optional<route> changelog_;
  std::optional<failure> missing_;
  std::set<std::string> growing_;  // topics that get more partitions, sooner or later
};

}  // namespace flow::engine
