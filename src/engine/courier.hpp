#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "complaint.hpp"
#include "lane.hpp"
#include "loop.hpp"

#include <flow/log.hpp>
#include <flow/plan.hpp>
#include <flow/status.hpp>
#include <flow/wire.hpp>

namespace flow::engine {

/// A record's bytes in memory of their own.
struct keepsake {
  keepsake(bytes key, bytes value, std::span<const header> headers, bytes topic = {});

  bytes key, value, topic;
  std::vector<header> headers;

 private:
  std::string room_;
};

/// A letter, or an answer, until its source partition has come that far.
struct kept_emission {
  emission what;
  std::shared_ptr<const keepsake> bytes;
};

/// Brings records to a destination outside of Kafka: those of one key one after the other, whatever fails, different
/// keys side by side. Keeps copies of what it takes, and knows for each source partition how far everything is done.
class courier {
 public:
  class owner {
   public:
    virtual ~owner() = default;
    /// Where a course stands: before the record that is taken of it.
    virtual place here(const course& at) const = 0;
    /// Why this answer cannot be written; empty: nothing is known against it.
    virtual std::string unwritable(const source& from, const emission& answer) const = 0;
    /// A source partition goes no further than `at`.
    virtual void stopped(const source& from, const place& at, const std::string& reason) = 0;
    virtual void passed_over(std::uint32_t sink, const source& from, std::int64_t offset,
                             const std::string& reason) = 0;
  };
  struct surroundings {
    engine::loop& loop;
    const plan& topology;
    std::uint32_t number = 0;  ///< of the sink in it
    std::string application;
    std::size_t room = 0;                                ///< bytes that may wait here, all source partitions together
    std::function<std::int64_t()> wall_clock;            ///< milliseconds since 1970 UTC
    std::function<bool(std::string_view step)> reached;  ///< false: the process ends at this point
    log_sink log;
    std::string name;  ///< how it is called in the log
    target_status& counted;
    owner& by;
  };
  courier(surroundings with, std::unique_ptr<flow::destination> to);

  /// What is taken from this lane is delivered under `token` from now on.
  void own(std::int32_t lane, std::int64_t token) { tokens_[lane] = token; }
  /// An emission for the sink, to be delivered, or for the one of its letters.
  void take(const course& by, const fetched_record& record, const emission& what);
  /// Nothing is to be taken before `crowded` was asked for.
  bool full() const { return full_; }
  /// Too much of this source partition waits here; it should not be read on.
  bool crowded(const source& from) const;
  void relieved() { full_ = false; }

  /// Where that begins of a source partition which is not done; nullptr: everything that was taken is.
  const place* undone(const source& from) const;
  /// Lets go of what is done. `post(source, offset, emissions)` writes those of a record whose turn it is; false: they
  /// cannot be written yet.
  template <typename Post>
  void advance(Post post);
  /// A source partition goes no further than before `offset`: what lies behind is dropped, what is before goes on.
  void stop(const source& from, std::int64_t offset, const std::string& reason);

  /// Until `resume` it begins nothing but what stands before something that was begun: what is done behind what is not
  /// would be done again.
  void pause() { paused_ = true; }
  void resume();
  /// Forgets everything. What is under way keeps its key busy until it is reported on, so that nothing overtakes it.
  void abandon();
  /// Batches.
  std::size_t under_way() const { return trips_.size(); }
  bool idle() const { return size_ == 0 && trips_.empty(); }
  /// Bytes.
  std::size_t size() const { return size_; }
  /// What keeps something from being delivered, which is tried again.
  const std::optional<failure>& trouble() const { return is_troubled() ? trouble_.current() : none_; }

 private:
  /// A record of a source partition of which something was taken.
  struct entry {
    place at;  ///< before it
    std::int64_t timestamp = 0;
    std::uint32_t emissions = 0;
    std::uint32_t open = 0;                    ///< emissions that are not done
    std::shared_ptr<const keepsake> original;  ///< only where it may become a letter
    std::vector<kept_emission> out;            ///< in the order of what they were made of
    std::size_t size = 0;                      ///< of those
  };
  /// The way of a source partition: all records from the first that is not done.
  struct way {
    const source* from;
    std::deque<entry> entries;
    std::uint64_t first = 0;  ///< the number of the first entry
    std::uint64_t begun = 0;  ///< behind the last one of which something was begun
    std::size_t size = 0;
    bool crowded = false;
  };
  struct parcel {
    way* of;  ///< nullptr: nobody wants to know any more what becomes of it
    std::uint64_t entry;
    std::shared_ptr<const keepsake> bytes;
    std::string idempotency_key;
    delivery what;
    std::uint32_t number;  ///< `emission::number`
    std::int32_t partition;
    std::size_t size;
    int failed = 0;
    time_point since{};  ///< the first of them
    int together;        ///< with so many others in a batch at most, itself included
  };
  using parcel_ptr = std::shared_ptr<parcel>;
  using line_key = std::pair<source_id, std::optional<std::string>>;
  /// Everything that waits for one key of one source partition, in order.
  struct line {
    line_key key;
    std::deque<parcel_ptr> waiting;
    std::size_t under_way = 0;  ///< of the foremost
    bool queued = false;        ///< among those that are ready, or that rest after a failure
  };
  using line_ptr = std::shared_ptr<line>;
  /// A batch under way.
  struct trip {
    std::vector<line_ptr> stops;  ///< each with its foremost parcels, `line::under_way` of them
    std::vector<parcel_ptr> parcels;
    std::vector<delivery> batch;
    time_point began{};
  };
  struct answered {
    std::uint64_t trip;
    std::vector<receipt> how;
    bool is_late = false;  ///< not answered at all
  };

  task<void> run();
  time_point due() const;
  bool is_overdue() const;
  bool is_troubled() const { return !failing_.empty() || is_overdue(); }
  bool has_healed() const { return !is_troubled() && with_.loop.now() >= failed_ + calm; }
  std::optional<std::uint64_t> load();
  bool may_begin(const parcel& one) const { return !paused_ || one.entry < one.of->begun; }
  void settle(answered what);
  /// What has not been answered in time has failed.
  void give_up_late();
  time_point late_at() const;
  /// False: it has to be delivered again.
  bool settle(parcel& one, const receipt& how, const line_ptr& at);
  void keep_answer(parcel& one, const std::optional<std::string>& answer);
  void try_again(parcel& one, const receipt& how, const line_ptr& at);
  void give_up(parcel& one, const std::string& why);
  void done(parcel& one);
  void keep(const parcel& one, const emission& what);
  emission answer_to(const parcel& one, const std::optional<std::string>& answer) const;
  emission letter_of(const parcel& one, const std::string& why, arena& room);
  entry& entry_of(const parcel& one) { return one.of->entries[one.entry - one.of->first]; }
  void line_up(const line_ptr& what);
  /// Everything from `offset` on is dropped; what is under way becomes nobody's.
  void drop(line& at, std::int64_t offset);
  void lighten(way& what, std::size_t by) { what.size -= by, size_ -= by; }
  void measure(way& what);

  // What fails now and then is said once, and who has not answered by then will hardly do so.
  static constexpr auto calm = std::chrono::seconds{10}, longest_call = std::chrono::seconds{60};

  surroundings with_;
  const sink_spec& sink_;
  std::string prefix_;  // of idempotency keys
  std::map<std::int32_t, std::int64_t> tokens_;
  std::map<source_id, way> ways_;
  std::map<line_key, line_ptr> lines_;
  std::deque<line_ptr> ready_;
  std::multimap<time_point, line_ptr> resting_;
  std::map<std::uint64_t, trip> trips_;
  std::map<std::uint64_t, trip> late_;  // nobody waits for them any more, and they may still be looked at
  std::uint64_t begun_ = 0;
  std::vector<answered> answers_;
  std::set<const line*> failing_;
  time_point left_alone_until_{};
  std::size_t size_ = 0;
  bool full_ = false;
  bool paused_ = false;
  complaint trouble_;
  const std::optional<failure> none_;
  time_point failed_{};  // the last time
  signal changed_;
  task<void> running_;
  std::unique_ptr<flow::destination> to_;  // destroyed first: it looks at what is under way
};

template <typename Post>
void courier::advance(Post post) {
  for (auto& [id, each] : ways_) {
    while (!each.entries.empty() && each.entries.front().open == 0) {
      auto& first = each.entries.front();
      if (!first.out.empty() && !post(*each.from, first.at.next, first.out)) break;
      lighten(each, first.size);
      each.entries.pop_front();
      ++each.first;
    }
    measure(each);
  }
}

}  // namespace flow::engine
