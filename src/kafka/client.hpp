#pragma once

#include <librdkafka/rdkafka.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include <flow/failure.hpp>

#include "complaints.hpp"
#include "settings.hpp"

namespace flow::kafka {

template <auto Destroy>
struct destroys {
  template <typename T>
  void operator()(T* what) const {
    Destroy(what);
  }
};
using queue_ptr = std::unique_ptr<rd_kafka_queue_t, destroys<rd_kafka_queue_destroy>>;
using topic_ptr = std::unique_ptr<rd_kafka_topic_t, destroys<rd_kafka_topic_destroy>>;
using event_ptr = std::unique_ptr<rd_kafka_event_t, destroys<rd_kafka_event_destroy>>;
using partitions_ptr =
    std::unique_ptr<rd_kafka_topic_partition_list_t, destroys<rd_kafka_topic_partition_list_destroy>>;

/// "flow-<cluster>-<what>", as short as the system wants thread names to be.
std::string thread_name(const std::string& cluster, const std::string& what);
void name_this_thread(const std::string& name);

/// What passes between a client and its broker threads. Outlives the client's handle.
struct wiretap {
  std::atomic<int> end_requests = 0;             ///< EndTxn requests written to a socket
  std::atomic<bool> old_offset_commits = false;  ///< TxnOffsetCommit below 3: the group would not be checked
  std::atomic<bool> old_offset_fetches = false;  ///< OffsetFetch below 7: undecided offsets would look decided
  std::shared_ptr<complaints> log;
  std::function<void(const rd_kafka_message_t&)> delivered;  ///< in the thread that polls the client
  /// In the thread that polls the client: errors of a handle as a whole, and of partitions that do not exist.
  std::function<void(rd_kafka_resp_err_t, std::string_view)> errored;
};

/// Destroys handles on a thread of its own, since that takes as long as the slowest broker connection.
class closer {
 public:
  explicit closer(std::string cluster) : cluster_{std::move(cluster)} {}
  /// Waits until everything handed over is closed.
  ~closer();
  void close(rd_kafka_t* handle, std::unique_ptr<wiretap> tap);

 private:
  struct closing {
    rd_kafka_t* handle;
    std::unique_ptr<wiretap> tap;
  };
  void run();

  const std::string cluster_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<closing> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

/// What all clients of one cluster share.
struct context {
  connection to;
  std::shared_ptr<complaints> log;
  std::shared_ptr<closer> closing;
};

/// A librdkafka handle. Whatever is made from it (topics, queues, messages) has to be gone before it is.
class client {
 public:
  /// `tap` may come with callbacks; what they look at has to outlive the last poll of this client.
  static result<std::shared_ptr<client>> open(const context& in, rd_kafka_type_t type, conf_ptr conf,
                                              std::unique_ptr<wiretap> tap = std::make_unique<wiretap>());
  client(const context& in, rd_kafka_t* handle, std::unique_ptr<wiretap> tap);
  client(const client&) = delete;
  client& operator=(const client&) = delete;
  /// Returns at once; what was under way is dropped.
  ~client();

  rd_kafka_t* get() const { return handle_; }
  wiretap& tap() const { return *tap_; }
  const std::string& cluster() const { return cluster_; }
  /// What no broker of the cluster has answered to has not been answered for this reason.
  failure unreached(rd_kafka_resp_err_t code) const;
  /// Why nothing that this handle does can succeed any more.
  std::optional<failure> fatal(std::string_view what) const;

  /// After this time nobody should be given the handle any more. The shortest counts. For the thread that asks only.
  void retire_after(std::chrono::milliseconds time);
  bool retired() const { return std::chrono::steady_clock::now() >= retires_; }

 private:
  const std::string cluster_;
  const std::string servers_;
  const std::shared_ptr<closer> closing_;
  rd_kafka_t* const handle_;
  std::unique_ptr<wiretap> tap_;
  std::chrono::steady_clock::time_point retires_ = std::chrono::steady_clock::time_point::max();
};

}  // namespace flow::kafka
