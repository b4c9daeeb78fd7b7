#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <flow/bytes.hpp>
#include <flow/record.hpp>
#include <flow/wire.hpp>

/// What an `ordered_sink` delivers to: anything outside of Kafka that takes records and says what became of them.
namespace flow {

/// A record on its way to a destination. What it looks at stays until its batch is reported on.
struct delivery {
  bytes key;
  bytes value;
  std::span<const header> headers;
  std::int64_t timestamp = 0;  ///< milliseconds since 1970 UTC
  origin from;                 ///< the source record that it was made of
  std::uint32_t number = 0;    ///< among all that this sink gets of that record
  /// "application/sink/cluster/topic/partition/offset/number": the same whenever, and by whoever, it is delivered
  /// again.
  std::string_view idempotency_key;
  /// Never falls as long as one worker delivers what comes from a partition of the source, and is higher with the next
  /// one. A destination that refuses what is lower than the highest it has seen for the partition is safe from a worker
  /// that was thought dead and comes back.
  std::int64_t fencing_token = 0;
  int attempt = 1;
};

/// What became of one delivery.
struct receipt {
  enum class kind {
    done,       ///< it is there
    retriable,  ///< it is not, and may be the next time
    permanent,  ///< it is not, and never will be
    apart       ///< its batch was refused as a whole: each part is to come again in a smaller one
  };
  kind what = kind::done;
  std::string text{};                                ///< why not, for people; nothing of the record, and no secret
  std::optional<std::chrono::milliseconds> after{};  ///< the destination wants to be left alone for this long
  std::optional<std::string> answer{};               ///< of `done`, what an `async_map` goes on with; nullopt: null

  static receipt done() { return {}; }
  static receipt answered(std::optional<std::string> with) { return {kind::done, {}, {}, std::move(with)}; }
  static receipt retriable(std::string why, std::optional<std::chrono::milliseconds> after = {}) {
    return {kind::retriable, std::move(why), after};
  }
  static receipt permanent(std::string why) { return {kind::permanent, std::move(why)}; }
  static receipt apart(std::string why) { return {kind::apart, std::move(why)}; }

  bool operator==(const receipt&) const = default;
};

/// Takes batches of deliveries, several at once. What is of one key comes one batch after the other, each only when the
/// one before was reported on, or its `delivery_options::timeout` is over (`async_map` only).
class destination {
 public:
  /// One receipt for each delivery of a batch, in their order.
  using report = std::function<void(std::vector<receipt>)>;

  /// Gives up what is under way; when it returns nothing looks at the deliveries any more.
  virtual ~destination() = default;
  /// Called by one thread at a time. Does not wait: `done` is called once, from any thread. In a batch the deliveries
  /// of one key stand in their order; who has failed one does nothing about those of its key behind it. They come
  /// again, whatever is reported on them.
  virtual void deliver(std::span<const delivery> batch, report done) = 0;
};

struct delivery_options {
  int in_flight = 64;  ///< batches that one worker has under way at most
  int batch = 1;       ///< deliveries in one of them at most
  int ahead = 10'000;  ///< records of a source partition that are taken before the first of them is done, and that
                       ///< come again after a crash at most
  /// Of an `async_map`: after this a batch has failed, and comes again as what is retriable does, although it may still
  /// be carried out. 0: it is waited for. An `ordered_sink` has none, since what is late would come behind its successor.
  std::chrono::milliseconds timeout{0};
  bool wants_answers = false;  ///< set by `async_map`, for destinations that might spare themselves the answer

  bool operator==(const delivery_options&) const = default;
};

/// A destination as a plan keeps it: user code, or what opens one for each worker.
struct destination_spec {
  delivery_options how{};
  std::string text{};  ///< what it is, for people
  /// Blocks until it knows. Runs on `how.in_flight` threads at most.
  std::function<std::vector<receipt>(std::span<const delivery>)> call{};
  std::function<std::unique_ptr<destination>(const delivery_options&)> open{};  ///< unless there is a `call`
};

/// The receipt that the exception that is being handled amounts to: `permanent_error` is one, all others may heal.
receipt receipt_of_exception();
/// What became of a batch as a whole. If that is permanent, one part of it may be the reason: they come apart.
std::vector<receipt> receipts_of_all(std::size_t count, const receipt& whole);

}  // namespace flow
