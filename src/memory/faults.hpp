#pragma once

#include <chrono>

#include "scheduler.hpp"

namespace flow::memory {

/// A time drawn anew for each use, evenly.
struct delay {
  microseconds least{0};
  microseconds most{0};
};

/// How well a cluster and the way to it behave. Every chance and every delay comes from the scheduler's dice.
struct faults {
  delay request{microseconds{50}, microseconds{200}};  ///< on its way to the cluster
  delay answer{microseconds{50}, microseconds{200}};   ///< on its way back
  delay records;  ///< more of that for records, which go to other brokers than what is said about their transaction
  delay marker;   ///< from the decision to a partition's commit marker, each on its own
  delay reaper{microseconds{0},
               microseconds{1'000'000}};  ///< from a transaction's timeout until the cluster acts on it

  double failed_questions = 0;  ///< the chance that a question outside of transactions is answered `retriable`
  double failed_batches = 0;  ///< the chance that records of a transaction are not stored, and it has to be aborted
  double lost_commits = 0;  ///< the chance that a commit takes place and is never answered
  double late_ends = 0;     ///< the chance that an EndTxn is overtaken by the client's second attempt
  delay late_by{microseconds{1'000'000}, microseconds{3'000'000}};

  port::milliseconds request_limit{10'000};  ///< after which a request is answered `timed_out`
  port::milliseconds end_retry{500};         ///< after which a client sends an unanswered EndTxn once more
  port::milliseconds heartbeat{500};         ///< at least three fit into a session, whatever this says
};

}  // namespace flow::memory
