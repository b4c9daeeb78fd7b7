#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loop.hpp"
#include "position.hpp"
#include "route.hpp"

#include <flow/plan.hpp>
#include <flow/wire.hpp>

namespace flow::engine {

class destination;
struct feed;
struct lane;

/// A source partition that the topology reads.
struct source {
  source_id id = 0;
  topic_partition where;
  std::string called{};  ///< its topic, by patterns
  std::int32_t task = 0;
  std::int32_t topic_partitions = 0;  ///< of the whole topic
  std::uint64_t found_in = 0;         ///< `reading::version` from which on it has been there
  std::int64_t until = std::numeric_limits<std::int64_t>::max();  ///< nothing from here on is read
  std::vector<source_partition> entries;                          ///< one for each node of the plan that reads it

  /// Where its records were read, as user code and letters see it.
  topic_partition read_as() const { return {entries.front().topic, entries.front().partition}; }
};

/// A record that has failed and is tried again.
struct trial {
  std::int64_t offset = -1;
  attempts so_far;
};

/// The time at each dedup of the topology.
using clocks = std::vector<stream_clock>;

/// Everything before it in a source partition is done.
struct place {
  std::int64_t next = -1;
  fingerprint last;
  clocks now;
  std::int64_t look_back_to = -1;  ///< what came from here on the dedups need to know
};

struct release;

/// A call that has failed and is made again.
struct failed_call {
  std::uint64_t number = 0;  ///< which; 0: none
  attempts so_far;
};

/// What a lane's process keeps of one partition number, whatever topics that is read of.
struct kept_partition {
  kept_partition(std::int32_t partition, std::int32_t lane) : state{partition, lane} {}

  keyed_state state;
  failed_call in_stream{}, on_wall{};  ///< the calls that come next, if they have failed
  time_point held_until{};  ///< before that it is not made, and nothing is read for what is kept here
};

/// A lane's way through one source partition, or through the letters of what it has parked of one.
struct course {
  const source* from = nullptr;
  lane* of = nullptr;
  feed* on = nullptr;  ///< what takes it along; while there is one it knows how far the lane has come
  std::int64_t next = -1;  ///< -1: where to begin is not known yet
  fingerprint last;
  std::int64_t begin = -1;         ///< where its lane has begun to read
  clocks now;                      ///< at `next`
  std::int64_t look_back_to = -1;  ///< what came from here on the dedups need to know
  bool dirty = false;        ///< has moved since its lane's last commit
  bool interrupted = false;  ///< its place has to be looked at before it is read from there
  std::string halted;        ///< why it goes no further; empty: it does
  std::optional<route> refused_by{};  ///< set: because of a topic that was like this, and may change
  trial tried;
  time_point held_until{};   ///< before that it is not read
  parking parked;            ///< as of `next`, unless something takes it along
  bool recalled = false;     ///< waits until what it has parked can be released
  std::shared_ptr<release> letters{};  ///< on their way; it waits until they are through
  const release* is_of = nullptr;      ///< it is their way
  kept_partition* kept = nullptr;  ///< of its lane, if that is a process's

  void forget_why_it_stopped() { halted.clear(), refused_by.reset(); }
  bool waits_for_reading(time_point now) const {
    return !on && !interrupted && halted.empty() && now >= held_until && !recalled && !letters &&
           (!kept || now >= kept->held_until);
  }
};

/// What a lane has parked of a source partition on its way through the operators again.
struct release {
  parked_keys keys;  ///< those that were parked when it began
  course at;         ///< in the partition of the letters, up to `source::until`
};

/// A task writing to one cluster: the unit of exactly-once.
struct lane {
  destination* to = nullptr;
  std::int32_t number = 0;
  bool taken = false;                ///< its position is known, and its claim is written
  time_point ask_again{};            ///< its partition of the lanes topic cannot be asked before
  backoff asking{};
  std::int64_t sequence = 0;
  std::int64_t position_offset = 0;  ///< of the newest position record known, in its partition of the lanes topic
  std::map<topic_partition, source_position> committed;
  std::map<std::int32_t, kept_partition> kept;  ///< what its process keeps, by number of the partition
  bool has_called = false;                      ///< since its last commit
  std::vector<std::unique_ptr<course>> courses;
};

}  // namespace flow::engine
