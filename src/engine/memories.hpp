#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "lane.hpp"
#include "loop.hpp"
#include "shared_pages.hpp"

#include <flow/log.hpp>
#include <flow/plan.hpp>
#include <flow/ports.hpp>
#include <flow/spill.hpp>

namespace flow::engine {

/// A set of offsets, as ranges.
class offset_ranges {
 public:
  void add(std::int64_t from, std::int64_t until);
  bool contain(std::int64_t from, std::int64_t until) const { return first_missing(from, until) == until; }
  /// The first offset of [from, until) that is not there; `until` if all are.
  std::int64_t first_missing(std::int64_t from, std::int64_t until) const;
  /// And the first that is.
  std::int64_t first_there(std::int64_t from, std::int64_t until) const;
  offset_ranges common_with(const offset_ranges& other) const;

  void clear() { ranges_.clear(); }
  bool empty() const { return ranges_.empty(); }
  auto begin() const { return ranges_.begin(); }
  auto end() const { return ranges_.end(); }

 private:
  std::map<std::int64_t, std::int64_t> ranges_;  // from, until
};

/// What the dedups of one worker have seen of each source partition, and which of its offsets that covers. It is derived
/// from the source: it may be ahead of what is committed, it is kept in the state directory so that it need not be read
/// again, and what is missing there is.
class memories {
 public:
  memories(const loop& on, const plan& topology, port::state& state, spill& beyond, shared_pages& others, log_sink log);

  /// By which ids are hashed: before anything else, and once.
  void hash_by(std::string key) { key_ = std::move(key); }
  /// The topology has dedups at all; otherwise nothing else here is called.
  bool used() const { return !specs_.empty(); }
  const std::vector<dedup_spec>& specs() const { return specs_; }

  /// Records of this source of the plan come to a dedup.
  bool concern(std::size_t dedup, std::uint32_t source) const {
    const auto& all = specs_[dedup].sources;
    return std::find(all.begin(), all.end(), source) != all.end();
  }

  /// What the dedups need for a record at these clocks. Valid until the next call.
  dedup_memory* of(const source& from, const clocks& now);
  /// [first, until) has been taken through the operators.
  void cover(const source& from, std::int64_t first, std::int64_t until);
  /// Somebody reads on from these clocks, however slowly: what can be asked from there must not be forgotten.
  void need(const source& from, const clocks& now);
  /// Likewise for who will read on from there as soon as what it lacks is there: for a minute.
  void expect(const source& from, const clocks& now);
  /// A record of it that somebody has read here, as others may find it.
  void witness(const source& from, const fingerprint& last);
  /// Its topic may be another than the one that has been read so far.
  void doubt(const source& from);

  /// Of what came before this offset nobody who goes on at `next` and these clocks needs to know anything.
  std::int64_t needed_from(const source& from, const clocks& now, std::int64_t next);
  /// Everything is known that a lane may ask about which goes on from here.
  bool suffice(const course& who);
  /// Where it is not: the first offset that has to be read again for that.
  std::int64_t first_missing(const course& who);
  /// And behind that the first that has not.
  std::int64_t next_known(const course& who);
  /// It cannot be read again.
  void do_without(const course& who);

  /// Nothing that happened before is needed for it.
  std::int64_t oldest_needed(const course& who) const;
  /// What another worker has seen: that it was seen on the same way, by dedups that have kept enough of it.
  bool may_learn(const source& from, const shared_page& what);
  /// Of what came before `first` nobody who learns it may know.
  void learn(const source& from, const shared_page& what, std::int64_t first);

  /// Much is new, or has been for a while.
  bool is_worth_saving() const;
  /// Writes down what is new, and forgets what is older than all that was needed since the last time.
  void save();
  /// Some more is new.
  bool needs_room() const;
  /// What does not fit into memory goes to disk, little by little; `save` does that too.
  void make_room();

 private:
  struct page {
    std::int64_t from;
    std::int64_t until;
  };
  struct of_source {
    topic_partition where;
    std::int32_t lane = 0;
    fingerprint last;       // of the highest offset
    std::uint64_t doubts = 0;
    std::vector<bool> concerned;                 // one for each dedup, as are the others
    std::vector<dedup_memory> seen;
    std::vector<std::int64_t> forgotten;         // everything before this time
    std::vector<std::int64_t> horizon;           // nobody needs more
    std::vector<std::int64_t> expected;          // nor who is expected
    time_point expected_until{};
    std::vector<std::vector<page>> pages;        // in the state directory
    offset_ranges covered, unsaved;
  };
  std::size_t count_of_new() const;
  of_source& at(const source& from);
  void recall(of_source& what);
  void save(of_source& what);
  void keep(const std::vector<port::seen_page>& written, const std::vector<port::seen_page>& outdated);
  /// Of what each dedup has seen newly, to other workers.
  void share(const of_source& what, std::int64_t from, std::int64_t until,
             const std::vector<std::vector<occurrence>>& fresh);
  /// What nobody here needs any more; the offset before which that is everything.
  std::int64_t forget(of_source& what);

  const loop& loop_;
  const std::vector<dedup_spec>& specs_;
  port::state& state_;
  spill& beyond_;
  shared_pages& others_;
  log_sink log_;
  std::string key_;
  std::vector<std::uint64_t> ways_;  // that lead to each dedup
  std::map<source_id, of_source> sources_;
  time_point saved_{};
  std::size_t room_is_for_ = 0;  // of what is new
  bool said_ = false;
};

}  // namespace flow::engine
