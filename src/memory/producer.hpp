#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "asker.hpp"

namespace flow::memory {

class memory_producer final : public port::producer, private asker {
 public:
  memory_producer(access by, port::producer_options options);
  ~memory_producer() override;

  void init(port::reply<void> done) override;
  void limit_batches(std::size_t bytes) override { largest_batch_ = std::min(bytes, default_batch); }
  topic_id topic(std::string_view name) override;
  void begin() override;
  void send(outgoing batch) override;
  void send_offsets(std::vector<port::group_offset> offsets, const port::membership& as,
                    port::reply<void> done) override;
  void commit(port::reply<port::committed> done) override;
  void abort(port::reply<int> done) override;
  void flush(port::reply<port::committed> done) override;

 private:
  using commit_done = std::function<void(result<port::committed>)>;

  /// What was asked for and waits for its turn.
  struct request {
    std::function<void()> carry_out;
    std::function<void(const failure&)> drop;
  };
  /// The commit, abort or flush that is going on; whatever is asked for meanwhile waits.
  struct ending {
    enum class kind { commit, abort, flush } what;
    commit_done done;
    std::uint64_t number;
    bool begun = false;  ///< everything sent before has been answered, and EndTxn may have been sent
    int end_requests = 0;
    port::time_point deadline{};
  };

  bool transactional() const { return !options_.transactional_id.empty(); }
  port::milliseconds delivery_limit();
  void open_session();
  void drop_what_is_under_way();

  void queue(request what);
  void carry_out_what_is_queued();
  void begin_now();
  void send_now(outgoing batch, std::shared_ptr<const std::vector<std::string>> topics);
  void send_offsets_now(std::vector<port::group_offset> offsets, const port::membership& as, port::reply<void> done);
  void answered(std::uint64_t transaction, const failure* why);

  void end(ending::kind what, commit_done done);
  void end_now(ending::kind what, commit_done done);
  void end_if_all_is_answered();
  void send_end(bool unanswered);
  void ended(std::uint64_t number, const result<void>& how);
  void finish(result<port::committed> how);

  port::producer_options options_;
  std::size_t largest_batch_ = default_batch;
  std::shared_ptr<const std::vector<std::string>> topics_ = std::make_shared<const std::vector<std::string>>();
  std::shared_ptr<producer_session> session_;
  std::deque<request> queue_;
  bool initialising_ = false;
  bool usable_ = false;            ///< initialised, and no commit has failed since
  bool open_ = false;              ///< a transaction was begun and has not ended
  std::optional<failure> failed_;  ///< the first thing that went wrong since the last ending
  std::uint64_t unanswered_ = 0;
  std::vector<std::int64_t> offsets_;
  std::map<std::uint64_t, port::reply<void>> offset_replies_;
  std::uint64_t offset_requests_ = 0;
  std::optional<ending> ending_;
  std::uint64_t endings_ = 0;
};

}  // namespace flow::memory
