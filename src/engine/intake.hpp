#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lane.hpp"
#include "memories.hpp"
#include "omissions.hpp"
#include "outbox.hpp"

#include <flow/dead_letter.hpp>
#include <flow/plan.hpp>
#include <flow/ports.hpp>

namespace flow::engine {

/// One reading of one source partition, for all the courses that are at the same place.
struct feed {
  feed(const source& of, const course& first)
      : from{&of}, next{first.next}, last{first.last}, tried{first.tried}, now{first.now}, letters{first.is_of} {}

  const source* from;
  std::int64_t next;
  fingerprint last;
  trial tried;
  clocks now;  ///< at `next`
  parked_keys parked;                      ///< what all riders have parked at nodes that concern them
  const release* letters;                  ///< it reads those, for one rider
  const fetched_record* latest = nullptr;  ///< the record that `last` does not cover yet, in the batch at hand
  std::vector<course*> riders;
  std::uint64_t active = 0;  ///< the sinks of all riders' targets
  std::uint64_t since = 0;   ///< the batch at hand when this reading began: nothing in it belongs to it
};

/// The operators of one worker: who has been taken through once is not counted again.
class operators {
 public:
  explicit operators(const plan& topology) : first_{topology.open()}, again_{topology.open()} {}

  /// For all that is done with this record, if it is not only looked back at.
  graph& of(const fetched_record& record, const source& from) {
    if (seen_.size() <= from.id) seen_.resize(from.id + 1, -1);
    return record.offset <= seen_[from.id] ? *again_ : *first_;
  }
  graph& looking_back() { return *again_; }
  graph& first() { return *first_; }
  /// It has been taken through, or goes no further.
  void done_with(const fetched_record& record, const source& from) {
    seen_[from.id] = std::max(seen_[from.id], record.offset);
  }
  const std::vector<node_counts>& counts() const { return first_->counts(); }

 private:
  std::unique_ptr<graph> first_, again_;
  std::vector<std::int64_t> seen_;  // the newest offset of each source
};

/// A record, or a call, that only the cluster itself could refuse.
struct refusal {
  source_record what;
  std::string why;
  bool twice = false;  ///< what was written in its place was refused as well
};

/// What an intake needs of a target.
class destination {
 public:
  virtual ~destination() = default;
  /// Takes an emission that was made of `record`, or the letter in its place. All of one record come in one go.
  virtual void append(const route& to, const emission& what, const course& at, const fetched_record& record,
                      const std::shared_ptr<held>& by) = 0;
  virtual const class routes& routes() const = 0;
  virtual std::uint64_t sinks() const = 0;                   ///< bit i: sink i writes to it
  virtual std::optional<std::uint32_t> process() const = 0;  ///< the process that makes what is written there
  virtual bool full() const = 0;                             ///< takes nothing more for now
  virtual bool used_up() const = 0;  ///< and that is since it has had what it may get in this time
  virtual bool idle() const = 0;     ///< has nothing to do before it gets more
  virtual void interrupted(course& at, const failure& why) = 0;  ///< reading it has failed, and may work again
  /// A course was interrupted because it is not known yet where `sink` writes to.
  virtual void resolve(std::uint32_t sink, const std::string& topic) = 0;
  virtual void halt(course& at, const std::string& reason) = 0;  ///< it goes no further
  virtual void hold(course& at, const blame& why) = 0;           ///< its next record is tried again later
  /// The record is the first of its key that is parked at this node.
  virtual void parked(const course& at, std::string_view node, std::int64_t offset) = 0;
  /// What is known of a record that the cluster does not take, and would not tell before; nullptr: nothing.
  virtual const refusal* refused(const source_record& what) const = 0;
  /// A sink's policy has dealt with a record that the cluster does not take.
  virtual void passed_over(std::uint32_t sink, const source& from, std::int64_t offset, const std::string& reason) = 0;
  /// Makes the calls of its process that come before this rider's next record, which brings the stream to that time.
  /// False: not all of them, and if it rides no longer they have to be waited for.
  virtual bool make_calls(course& at, std::int64_t stream_time) = 0;
};

/// Where an emission goes. nullptr: that is not known yet, and the target finds out.
const route* find_route(destination& to, const source& from, const emission& what);

/// Reads source partitions and takes each record once through the operators to the outboxes of its riders' targets.
class intake {
 public:
  /// `clock`: milliseconds since 1970 UTC.
  intake(const plan& topology, class operators& through, class memories& memories, omissions& omitted,
         std::function<std::int64_t()> clock, std::unique_ptr<port::reader> reader)
      : topology_{topology},
        sinks_{topology.sinks()},
        operators_{through},
        memories_{memories},
        omissions_{omitted},
        clock_{std::move(clock)},
        reader_{std::move(reader)} {
    for (const auto& each : topology_.parking()) parked_sinks_ |= std::uint64_t{1} << each.letters;
  }

  /// Calls `see` for every feed.
  void each_feed(auto see) const {
    for (const auto& at : feeds_)
      if (at) see(*at);
  }
  feed* find(source_id id) const { return id < feeds_.size() ? feeds_[id].get() : nullptr; }
  bool empty() const;

  /// Takes a course along: on the feed that is exactly where it is and has parked the same, or a new one. False: this
  /// intake reads that source partition otherwise.
  bool board(course& who);
  /// Lets it off; it keeps its place.
  void leave(course& who);
  /// Moves every rider of this intake's feed to `other`'s, which is at the same place or further along this partition, or
  /// has to be opened. Whoever is full would only hold up those there.
  void merge_into(intake& other, source_id id);

  /// Takes up to `most` records through, fewer if the operators are slow; false if nothing moved. `ahead`: where feeds
  /// that have caught up merge into.
  bool run(std::size_t most, intake* ahead);
  /// The target that keeps the whole intake waiting, if one does.
  destination* blocked_by() const { return blocked_by_; }
  /// What has arrived had to wait, and has to no more.
  bool can_go_on() const { return waits_ && !(blocked_by_ && blocked_by_->full()); }

 private:
  enum class step { taken, blocked };
  bool is_blocked(const feed& at);
  static bool is_full(const feed& at);
  step take(const fetched_record& record, intake* ahead);
  step deliver(feed& at, const fetched_record& record);
  /// Takes the record through the operators; why that has failed.
  std::optional<blame> push(feed& at, const fetched_record& record);
  /// The same of a record that comes as a letter, to the node that it waits for.
  std::optional<blame> push_letter(feed& at, graph& through, const transit& how);
  void say_omissions(const feed& at);
  keyed_state* const* kept_by(const feed& at);
  /// Those that the record at hand brings. False: it is not the feed's turn any more, or not yet.
  bool make_calls(feed& at, const due_calls& which);
  /// Up to `to`, past the record that was pushed last or what is none.
  void move(feed& at, std::int64_t to, const fetched_record* past);
  /// One emission for one rider.
  struct parcel {
    const route* to = nullptr;        ///< nullptr: not for this rider
    const emission* what = nullptr;   ///< the emission, or the letter in its place
    std::string refused{};            ///< why it is not written as it is
    bool halts = false;               ///< nor in any other way
    bool parks = false;               ///< from here on its sink gets nothing of this key
  };
  /// Where the emissions of this record go. Otherwise the first rider whose target does not know that yet.
  course* address(const feed& at, const fetched_record& record);
  bool address(parcel& one, course& rider, const emission& what, const fetched_record& record);
  const emission& letter_for(const emission& what, const source& from, letter_reason reason, const std::string& why);
  /// What the letter says that a release has come to; nullopt: it is not one of those.
  std::optional<letter> letter_in(const feed& at, const fetched_record& record) const;
  /// The nodes that concern who writes to these sinks.
  parked_keys concerning(std::uint64_t sinks, const parked_keys& all) const;
  bool takes_parked(std::uint32_t sink) const { return (parked_sinks_ >> sink & 1) != 0; }
  bool agree(const feed& at, std::uint64_t sinks, const parked_keys& theirs) const;
  /// Where the i-th rider parks the key of this record.
  std::vector<std::string_view> parks_of(const feed& at, std::size_t i) const;
  /// Notes where the letters lie; why it cannot park at so many more nodes, or there.
  std::string make_room(const feed& at, std::size_t i, std::size_t nodes);
  void halt(feed& at, const std::string& reason);
  void halt(course& who, const std::string& reason);
  void hold(feed& at, const fetched_record& record, const blame& why);
  void fail(feed& at, const failure& why);
  void interrupt(course& who);
  /// The feed that a part of the batch at hand belongs to.
  feed* of_batch(source_id id) const;
  /// What was read last, also for other workers.
  void remember(feed& at);
  void drop(source_id id);
  void finish_batch(intake* ahead);
  bool next_batch(std::size_t most);
  bool catches_up(feed& at, std::int64_t with, intake* ahead);
  /// There is nothing before `next` that has not been taken, and nothing more now.
  void reach(feed& at, std::int64_t next, intake* ahead);
  void come_back(feed& at, intake* ahead);

  const plan& topology_;
  const std::vector<sink_spec>& sinks_;
  class operators& operators_;
  class memories& memories_;
  omissions& omissions_;
  std::function<std::int64_t()> clock_;
  std::unique_ptr<port::reader> reader_;
  std::vector<std::unique_ptr<feed>> feeds_;
  fetched batch_;
  std::uint64_t batches_ = 0;
  std::size_t cursor_ = 0;
  std::shared_ptr<held> held_;
  std::vector<emission> emissions_;
  std::vector<omission> omitted_;
  std::deque<emission> letters_;
  std::vector<parcel> parcels_;  // by emission, then rider
  const fetched_record* read_ = nullptr;  // what went through the operators: the record at hand, or that of its letter
  fetched_record original_;
  std::optional<letter> letter_;
  std::vector<std::string_view> parks_;  // where that parks its key
  std::uint64_t parked_sinks_ = 0;
  bool is_set_aside_ = false;        // something of the record at hand, by parking or behind what is parked
  std::vector<keyed_state*> kept_;   // what the riders' processes keep, for the record at hand
  std::vector<std::int64_t> times_;  // of the record that was pushed last, for each dedup
  std::int64_t wall_clock_ = 0;
  destination* blocked_by_ = nullptr;  // as long as it is taken along
  bool waits_ = false;
};

/// Where a course has come to, on a feed or off.
std::int64_t next_of(const course& who);
fingerprint last_of(const course& who);
const clocks& clocks_of(const course& who);
/// What it has parked there, at nodes that concern whom it writes to.
parking parked_of(const course& who, const plan& topology);

}  // namespace flow::engine
