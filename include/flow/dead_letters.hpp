#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <flow/app.hpp>
#include <flow/dead_letter.hpp>
#include <flow/raw_record.hpp>

namespace flow {

/// Letters that are alike: of one node, for one reason, from one topic.
struct letters_alike {
  std::string node;
  letter_reason reason = letter_reason::failed;
  std::string topic;  ///< where their records were read
  std::uint64_t letters = 0;
  /// Of them; what failed again is a letter anew. None: a cluster that would know cannot be asked.
  std::optional<std::uint64_t> replayed = 0;

  bool operator==(const letters_alike&) const = default;
};

/// What lies in a dead-letter topic.
struct letters_in {
  std::string cluster;
  std::string topic;
  std::vector<letters_alike> letters{};
  std::uint64_t others = 0;  ///< records that are no letters of this application's home

  bool operator==(const letters_in&) const = default;
};

/// A letter, by value.
struct shown_letter {
  std::string cluster;
  topic_partition where;
  std::string node;
  letter_reason reason = letter_reason::failed;
  std::string text;
  std::string from_cluster;
  topic_partition from;
  std::int64_t from_offset = 0;
  std::int64_t attempts = 1;
  std::int64_t time = 0;  ///< milliseconds since 1970 UTC
  raw_record what{};      ///< without the headers of its letter; the offset is the letter's own
};

/// Which letters are shown. What is not set is any.
struct letters_wanted {
  std::string topic;  ///< they lie in
  std::optional<std::string> cluster{};
  std::optional<std::int32_t> partition{};
  std::int64_t offset = 0;   ///< the first of each partition
  std::uint64_t limit = 20;  ///< letters, all partitions together
  std::optional<std::string> node{};
  std::optional<letter_reason> reason{};
  std::optional<std::string> key{};
};

/// How letters are replayed.
struct letters_again {
  std::optional<std::string> cluster{};  ///< only what lies there
  bool pass_over_strangers = false;      ///< letters of a node or topic that the topology does not have (any more), for
                                         ///< good; else they stop their partition
};

/// What a replay has come to.
struct letters_replayed {
  std::uint64_t replayed = 0;  ///< gone through, or letters anew
  std::uint64_t failed = 0;    ///< of them, or of what was made of them: letters again, to be replayed the next time
  std::uint64_t dropped =
      0;  ///< did not come any more to the node that had failed: what stands before has dropped them
  std::uint64_t released = 0;     ///< keys that were parked, and whose letters have gone through
  std::uint64_t parked = 0;       ///< keys that are parked again, or still
  std::uint64_t passed_over = 0;  ///< records that are no letters of this application, or strangers
};

/// The dead letters of a topology, on all of its clusters. `list` and `show` read, and change nothing. All three work
/// beside the running application, block, and take as much memory as one worker of it at most. Calls on one object come
/// one after the other.
class dead_letters {
 public:
  /// The letters lie where the policies of the topology put them, and in topics of these patterns ("{topic}.dlq") on
  /// any of its clusters, for policies that it does not have any more.
  /// @throws topology_error as an `app` of the same does.
  dead_letters(const topology& of, app_options where, std::vector<std::string> others = {});
  dead_letters(std::shared_ptr<const plan> of, app_options where, std::vector<std::string> others = {});

  /// What there is, by cluster (home first) and topic; on all of them unless one is named. `missing` as of a replay.
  result<std::vector<letters_in>> list(const std::optional<std::string>& cluster = {}) const;
  /// Calls `see` for each, in the order of clusters, partitions and offsets. `missing` if the topic is not there, or if
  /// there is neither a letter of the node nor the node.
  result<void> show(const letters_wanted& which, const std::function<void(const shown_letter&)>& see) const;
  /// Takes all letters that are there now, and have not been taken, through the topology again (`replay.hpp`): exactly
  /// once, in the order of their partitions, up to the ends that are found at its beginning, and returns. A target that
  /// goes away is waited for; one that is away at the beginning is a failure, and nothing is done. What was done stays
  /// done if it is broken off, by `stop` or a crash, and the next call goes on there. Two at once share the work if
  /// their instances differ; of two with the same one, the first ends unless the second is through before it would.
  /// What `park_key` has parked is not taken through here: the lanes of the running application are told to release it,
  /// and that they have is waited for. Where none of them runs they will when one does, and this is a failure.
  /// @return `refused` if a partition cannot be taken to its end, after all others have been; `missing` if a topic that
  /// was named is on none of the clusters.
  result<letters_replayed> replay(const letters_again& how = {}, std::stop_token stop = {}) const;

 private:
  std::shared_ptr<const plan> what_;
  app_options options_;
  std::vector<std::string> others_;
};

}  // namespace flow
