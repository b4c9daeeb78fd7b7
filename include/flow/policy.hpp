#pragma once

#include <chrono>
#include <concepts>
#include <limits>
#include <stdexcept>
#include <string>
#include <utility>

namespace flow {

/// User code throws this, or something derived from it, for what will fail again however often it is tried: `retry`
/// passes such a record straight on to the policy behind it. Everything else that is thrown may heal.
class permanent_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// How long a record waits before it is tried once more: at random up to a bound that begins with `from`, doubles each
/// time, and ends with `to` (exponential backoff with full jitter).
struct pauses {
  std::chrono::milliseconds from{100};
  std::chrono::milliseconds to{30'000};

  bool operator==(const pauses&) const = default;
};

struct origin;
/// That pause after the `failed`th failure in a row. Of the record and the try alone, so that a run can be repeated.
std::chrono::milliseconds pause_after(int failed, const pauses& between, const origin& from);

/// How often, how long and after which pauses a record is tried again.
struct retries {
  int times = 0;
  std::chrono::milliseconds within = std::chrono::milliseconds::max();
  pauses between{};

  bool operator==(const retries&) const = default;
};

/// What becomes of a record for which user code or a codec failed, or that a cluster does not take.
class policy {
 public:
  enum class kind {
    stop,         ///< its partition goes no further, and nothing of the record is emitted
    skip,         ///< it ends at that node and is counted
    dead_letter,  ///< it ends at that node, and goes as it was read to a topic of its own
    park_key      ///< likewise, and so do later records of its key, untried
  };

  constexpr explicit policy(kind what) : kind_{what} {}
  constexpr policy(kind what, std::string topic) : kind_{what}, topic_{std::move(topic)} {}

  /// What becomes of it once it is not tried again.
  constexpr kind what() const { return kind_; }
  /// Of dead letters and parked records; {topic} and {source} stand for where the record came from.
  constexpr const std::string& topic() const { return topic_; }
  /// Before that.
  constexpr const retries& tries() const { return tries_; }
  /// "retry(5).then(dead_letter(orders.dlq))"
  std::string text() const;

  bool operator==(const policy&) const = default;

 protected:
  retries tries_{};

 private:
  kind kind_;
  std::string topic_;
};

/// The record's partition goes no further; the others go on. It is tried anew when its lane is taken over again, as when
/// the application is started, and when the topic that did not take it has been changed.
inline const policy stop{policy::kind::stop};
/// The record ends at that node and is counted.
inline const policy skip{policy::kind::skip};

/// The record ends at that node and is written to `topic`, with key, value, timestamp and headers as they were read and
/// headers of flow's that say why (`dead_letter.hpp`), exactly once. What fails before a sink goes to the home cluster;
/// what fails at a sink goes to each of the sink's clusters that does not get the record. "{topic}.dlq" names a topic for
/// each source topic.
///
/// Whether a record fails has to depend on nothing but the record: clusters that are written to independently of each
/// other may judge it at different times. For what depends on the world there are `retry` and `stop`.
constexpr policy dead_letter(std::string topic) { return {policy::kind::dead_letter, std::move(topic)}; }

/// The record ends at that node and is written to `topic` as by `dead_letter`, and so is every later record of its key
/// that comes to that node, without being tried: what `topic` holds of a key goes on in its order. Other keys flow. A
/// record without a key is dead-lettered, and nothing follows it.
///
/// A key is one of a source partition, as it was read; so the stream's keys have to be those of its source, or
/// `colocated` with them. What is parked lies on each cluster that is written to behind the node, in a copy for each,
/// and each cluster judges for itself: a record may fail here today and there tomorrow. `dead_letters::replay` has it
/// released: then its records go through again from that node, in order, and the source partition waits until they are
/// through. All nodes of a topology park in one topic; none stands before a `dedup` or an `ordered_sink`.
///
/// Parked keys are part of a lane's position: 10,000 of them, or 384 KiB, are the most for all source partitions of a
/// lane. A partition that would park one more stops.
constexpr policy park_key(std::string topic) {
  return {policy::kind::park_key, std::move(topic)};
}

/// `retry`, and `stop` once that is over, unless `then` says otherwise.
class retry_policy : public policy {
 public:
  constexpr explicit retry_policy(retries how) : policy{kind::stop} { tries_ = how; }

  /// Throws `std::invalid_argument` if `last` is a retry itself.
  constexpr policy then(policy last) const {
    if (last.tries().times > 0)
      throw std::invalid_argument{"flow: retry ends in stop, skip or dead_letter, not in another retry"};
    retry_policy both{*this, std::move(last)};
    return both;
  }
  template <std::same_as<retry_policy> Again>
  constexpr policy then(Again) const {
    static_assert(sizeof(Again) == 0, "flow: retry ends in stop, skip or dead_letter, not in another retry");
    return *this;
  }

 private:
  constexpr retry_policy(const retry_policy& first, policy last) : policy{std::move(last)} { tries_ = first.tries_; }
};

inline constexpr int forever = std::numeric_limits<int>::max();

/// The record is tried again, `times` at most or until a time has passed since its first failure; `forever` is no limit.
/// Meanwhile its partition waits, so that order holds, and the others go on.
constexpr retry_policy retry(int times, pauses between = {}) { return retry_policy{{.times = times, .between = between}}; }
constexpr retry_policy retry(std::chrono::milliseconds within, pauses between = {}) {
  return retry_policy{{.times = forever, .within = within, .between = between}};
}

}  // namespace flow
