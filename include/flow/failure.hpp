#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tl/expected.hpp>

#include <flow/topic_partition.hpp>

namespace flow {

/// What a failure means for whoever asked: the only thing that code decides on. Texts are for people.
enum class failure_kind {
  retriable,       ///< the world may heal: try again after a pause
  timed_out,       ///< no answer within the limit; for a commit this means that the outcome is unknown
  fenced,          ///< a newer producer with the same transactional id has taken over
  fenced_member,   ///< another member has joined with the same instance id: another process, or an older request of its own
  lost_member,     ///< the group has gone on without this member: its lanes belong to others now
  abortable,       ///< the open transaction is lost, the producer is not
  rejected,        ///< the cluster refuses this record and would refuse it again
  out_of_range,    ///< the offset is not there: deleted, or not written yet
  missing,         ///< the topic, partition or cluster does not exist
  denied,          ///< the cluster does not allow it
  corrupt,         ///< stored data contradicts itself
  refused,         ///< going on would break the guarantee; a person has to decide
  fatal            ///< nothing that this handle does can succeed any more
};

constexpr std::string_view to_string(failure_kind kind) noexcept {
  switch (kind) {
    case failure_kind::retriable: return "retriable";
    case failure_kind::timed_out: return "timed out";
    case failure_kind::fenced: return "fenced";
    case failure_kind::fenced_member: return "fenced member";
    case failure_kind::lost_member: return "lost member";
    case failure_kind::abortable: return "abortable";
    case failure_kind::rejected: return "rejected";
    case failure_kind::out_of_range: return "out of range";
    case failure_kind::missing: return "missing";
    case failure_kind::denied: return "denied";
    case failure_kind::corrupt: return "corrupt";
    case failure_kind::refused: return "refused";
    case failure_kind::fatal: return "fatal";
  }
  return "unknown";
}

/// It may go away by itself, so that the same is worth asking again.
constexpr bool heals(failure_kind kind) noexcept {
  return kind == failure_kind::retriable || kind == failure_kind::timed_out;
}

/// Something went wrong while running. `text` says what and where, `remedy` what a person can do about it.
/// Neither ever holds a secret or a record's content.
struct failure {
  failure_kind kind = failure_kind::fatal;
  std::string text;
  std::string remedy;
  /// Of a transaction: the partitions that did not store its records although others did. Empty: it failed as a whole.
  std::vector<topic_partition> where{};

  bool operator==(const failure&) const = default;
};

/// "text (remedy)"
inline std::string to_string(const failure& what) {
  return what.remedy.empty() ? what.text : what.text + " (" + what.remedy + ")";
}

/// A value, or why there is none.
template <typename T>
using result = tl::expected<T, failure>;

/// A failure, as a function returns it in place of its value.
inline tl::unexpected<failure> fail(failure_kind kind, std::string text, std::string remedy = {}) {
  return tl::unexpected<failure>{failure{kind, std::move(text), std::move(remedy)}};
}

}  // namespace flow
