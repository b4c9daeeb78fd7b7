#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <flow/bytes.hpp>
#include <flow/failure.hpp>
#include <flow/seen_ids.hpp>

/// What a `process` keeps by key, as the engine sees it.
namespace flow {

/// What is kept of one key.
struct kept_of_key {
  static constexpr std::int64_t never = std::numeric_limits<std::int64_t>::max();

  std::optional<std::string> value{};
  std::int64_t stream_time = never;  ///< its key is called when this has come, milliseconds since 1970 UTC
  std::int64_t wall_clock = never;   ///< likewise

  bool is_nothing() const { return *this == kept_of_key{}; }
  bool operator==(const kept_of_key&) const = default;
};

/// As the changelog has it. `corrupt` for bytes that are none, `refused` for a format newer than this program's.
std::string encode(const kept_of_key& what);
result<kept_of_key> decode_kept_of_key(std::string_view data);

/// What a `process` keeps of the keys of one partition number, in memory. What a record, or an alarm, has changed is
/// tentative until `keep`. Not for use by two threads at once.
class keyed_state {
 public:
  /// `lane`: the partition of the changelog.
  explicit keyed_state(std::int32_t partition = 0, std::int32_t lane = 0) : partition_{partition}, lane_{lane} {}

  /// Nothing is kept of a key that is not known.
  const kept_of_key& find(bytes key) const;
  void put(bytes key, kept_of_key what);
  /// A key that wants to be called, since a time has come.
  struct alarm {
    std::int64_t kept_of_key::*which;  ///< the time that has come
    std::int64_t time;
    std::string key;
    bool is_null;  ///< there is no key

    bytes key_bytes() const { return is_null ? bytes{} : bytes{key}; }
  };
  /// The one whose time has come first: in the stream, otherwise on the wall; none by then.
  std::optional<alarm> due(std::int64_t stream_time, std::int64_t wall_clock) const;
  bool is_due_in_stream() const { return !stream_alarms_.empty() && stream_alarms_.begin()->first <= clock_.now(); }
  std::int64_t next_wall_clock() const {
    return wall_alarms_.empty() ? kept_of_key::never : wall_alarms_.begin()->first;
  }

  /// A record has this time, milliseconds since 1970 UTC: the latest of those that it has until `keep`.
  void see(std::int64_t timestamp);
  const stream_clock& clock() const { return clock_; }
  void set(const stream_clock& clock) { clock_ = clock; }

  bool has_tentative() const { return !undo_.empty(); }
  /// All that was tentative is so.
  void keep() { undo_.clear(), clock_before_.reset(); }
  /// And this takes it back.
  void forget();
  /// All but what the clock has seen.
  void pass_over();

  /// The key of a changelog record: one for each of ours.
  std::string name_in_changelog(bytes key) const;
  std::int32_t lane() const { return lane_; }
  std::size_t count() const { return kept_.size(); }

 private:
  using alarms = std::set<std::pair<std::int64_t, std::string>>;
  void set(const std::string& key, kept_of_key what);

  std::int32_t partition_, lane_;
  std::unordered_map<std::string, kept_of_key> kept_;  // with a mark before the key, which may be null
  alarms stream_alarms_, wall_alarms_;
  stream_clock clock_;
  std::vector<std::pair<std::string, kept_of_key>> undo_;
  std::optional<stream_clock> clock_before_;
  std::int64_t seen_ = 0;
};

/// The partition number and the key of a changelog's record; `corrupt` if it is none.
struct changelog_key {
  std::int32_t partition;
  bytes key;  ///< looks at the record's
};
result<changelog_key> read_changelog_key(std::string_view data);

}  // namespace flow
