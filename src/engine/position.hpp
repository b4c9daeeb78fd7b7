#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include <flow/failure.hpp>
#include <flow/parked_keys.hpp>
#include <flow/ports.hpp>
#include <flow/seen_ids.hpp>
#include <flow/wire.hpp>

namespace flow::engine {

/// What the last consumed record looked like, so that a topic that was deleted and made anew is noticed.
struct fingerprint {
  std::int64_t offset = -1;  ///< -1: nothing was consumed yet
  std::int64_t timestamp = 0;
  std::uint64_t hash = 0;

  bool operator==(const fingerprint&) const = default;
};

fingerprint fingerprint_of(std::int64_t offset, std::int64_t timestamp, bytes key, bytes value);
fingerprint fingerprint_of(const port::kept_record& record);

/// How far a dedup has come in a source partition.
struct dedup_position {
  stream_clock clock{};
  std::int64_t window = 0;  ///< milliseconds

  bool operator==(const dedup_position&) const = default;
};

/// What a lane has parked of a source partition.
struct parking {
  parked_keys keys{};         ///< whose records become letters
  topic_partition letters{};  ///< where those lie; of no topic: nowhere yet
  std::int64_t settled = 0;   ///< what lies before this offset there has gone through again
  parked_keys released{};     ///< whose letters are going through again
  std::int64_t until = 0;     ///< up to here, if there are any
  std::int64_t commands = 0;  ///< those before this offset of their topic have been obeyed

  std::size_t count() const { return keys.count() + released.count(); }
  std::size_t size() const { return keys.size() + released.size(); }  ///< bytes, about
  bool operator==(const parking&) const = default;
};

/// So much of that is the most in one position, which is one record.
inline constexpr std::size_t most_parked_keys = 10'000, most_parked_bytes = 384u << 10;

/// How far a process has come in a source partition.
struct process_position {
  stream_clock clock{};
  std::int64_t keys = 0;  ///< of which it keeps something

  bool operator==(const process_position&) const = default;
};

struct source_position {
  std::int64_t next = 0;  ///< the first offset that is not committed yet
  fingerprint last;
  std::int64_t begin = 0;                          ///< the first offset that was read at all
  std::int64_t look_back_to = 0;                   ///< what came from here on the dedups need to know
  std::map<std::string, dedup_position> dedups{};  ///< at `next`, by name
  parking parked{};
  std::optional<process_position> process{};  ///< at `next`, in the lanes of one

  bool operator==(const source_position&) const = default;
};

/// Which flow a position belongs to. A difference is a refusal, never a fresh start.
struct provenance {
  std::string application;
  std::string source_cluster;  ///< the home cluster's own id
  std::int32_t tasks = 0;
  std::string mapping;         ///< the id of the function from source partition to task

  bool operator==(const provenance&) const = default;
};

/// Who wrote a record of the lanes topic.
struct writer {
  std::string instance;
  std::string transactional_id;
  std::int32_t generation = -1;

  bool operator==(const writer&) const = default;
};

/// First record of every assignment: whose open transaction may stand behind it.
struct claim {
  writer by;

  bool operator==(const claim&) const = default;
};

/// How far a lane has come.
struct position {
  provenance of;
  writer by;
  std::int64_t sequence = 0;  ///< one more with every committed transaction of the lane
  std::map<topic_partition, source_position> sources;

  bool operator==(const position&) const = default;
};

/// Keys of the two kinds of record; compaction keeps the last of each.
inline constexpr std::string_view claim_key = "claim";
inline constexpr std::string_view position_key = "position";

/// What all lanes of a cluster are told: to let what they have parked go through again.
struct command {
  std::string topic;  ///< of the source; empty: of all

  bool operator==(const command&) const = default;
};

std::string encode(const claim& what);
/// As old a format as will do: what has never parked anything can be read by programs that cannot park.
std::string encode(const position& what);
std::string encode(const command& what);

/// @return `corrupt` for bytes that are neither, `refused` for a format newer than this program's.
result<claim> decode_claim(std::string_view data);
result<position> decode_position(std::string_view data);
result<command> decode_command(std::string_view data);

}  // namespace flow::engine
