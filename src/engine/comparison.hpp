#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "digest.hpp"

#include <flow/verify.hpp>

namespace flow::engine {

/// A record as it should be in a partition.
struct wanted_record {
  digest what;
  std::int64_t offset = 0;  ///< where it was read
  bool is_due = true;       ///< its lane has passed it
  bool is_null = false;     ///< a tombstone
};

/// A record as it is there.
struct found_record {
  digest what;
  std::int64_t offset = 0;
  bool is_repetition = false;  ///< it says of itself that it has been there before
  bool is_null = false;
};

/// Where the records of one partition come from.
struct wanted_source {
  topic_partition where;
  bool is_cut = false;  ///< what came before its first records may have been written as well
};

/// Compares one partition with what it should hold, while both are read. The records of one source come in their order,
/// and those of several in any.
class comparison {
 public:
  struct nature {
    bool begins_late = false;  ///< its first records are gone
    bool by_key = false;       ///< compacted: only the last record of each key counts
  };

  comparison(std::vector<wanted_source> sources, nature of);

  void expect(std::size_t source, const wanted_record& what);
  /// It is not where it belongs; it may come later.
  void set_aside(const digest& what);
  void source_ended(std::size_t source) { sources_[source].ended = true; }
  void find(const found_record& what);
  void found_all() { all_found_ = true; }
  /// Compares as far as it goes.
  void settle();

  /// Records that wait for something to be compared with.
  std::size_t wanted() const;
  std::size_t found() const { return found_.size(); }
  /// There may be a record in what is wanted only far behind the first.
  bool looks_far() const { return sources_.size() > 1 || (of_.begins_late && sources_.front().is.is_cut); }
  bool is_settled() const;

  /// All but where it is, once everything was settled.
  verified_partition verdict() const;

 private:
  struct source {
    wanted_source is;
    std::deque<wanted_record> wanted{};
    bool ended = false;
    bool aligned = false;  // something of it was found
  };
  struct last_of_key {
    std::optional<wanted_record> wanted{};
    std::size_t source = 0;
    std::optional<found_record> found{};
  };
  struct hash_of {
    std::size_t operator()(const digest& of) const { return of.value ^ of.key * 31; }
  };
  enum class step { matched, waits, differs };

  step take();
  bool match(const found_record& what);
  bool align(const found_record& what);
  bool waits_for_source() const;
  bool can_look_ahead() const;
  void pass(source& from, const wanted_record& what);
  void diagnose();
  void differ(difference what, const source* from, std::optional<std::int64_t> from_offset);
  void drain();
  void compare_last();
  bool is_found_later(const digest& what) const;

  std::vector<source> sources_;
  nature of_;
  std::deque<found_record> found_;
  bool all_found_ = false;
  std::unordered_map<digest, std::uint64_t, hash_of> aside_;
  std::deque<std::pair<digest, std::pair<std::size_t, std::int64_t>>> passed_;  // the newest
  std::map<std::uint64_t, last_of_key> keys_;
  digest_sum sum_found_, sum_expected_;
  verified_partition verdict_;
};

}  // namespace flow::engine
