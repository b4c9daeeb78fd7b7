#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "complaint.hpp"
#include "loop.hpp"
#include "options.hpp"
#include "position.hpp"

#include <flow/log.hpp>
#include <flow/plan.hpp>
#include <flow/ports.hpp>

namespace flow::engine {

/// What one worker's dedups have seen of [from, until) of a source partition. One of no topic only offers a key.
struct shared_page {
  std::string key;            ///< by which the ids are hashed
  std::uint64_t session = 0;  ///< of the worker, from its start to its end, or until it doubts what it reads
  fingerprint last;           ///< of a record that it has read there, at whatever offset
  topic_partition where;
  std::int64_t from = 0;
  std::int64_t until = 0;
  /// By one dedup.
  struct part {
    std::int64_t window = 0;  ///< milliseconds; what came later than that was not kept
    std::uint64_t way = 0;    ///< what stood before it
    std::vector<occurrence> all;

    bool operator==(const part&) const = default;
  };
  std::map<std::string, part> seen;

  bool operator==(const shared_page&) const = default;
};

std::string encode(const shared_page& what);
/// `corrupt` for bytes that are none, `refused` for a format newer than this program's.
result<shared_page> decode_shared_page(std::string_view data);

/// What the dedups of all workers have seen, in a topic of the application's own on home: so that who takes a source
/// partition over need not read it again. Nothing depends on it. What is not there, or cannot be trusted, is read again
/// from the source.
class shared_pages {
 public:
  shared_pages(engine::loop& on, const engine::options& options, const plan& topology, port::cluster& home,
               std::function<std::int64_t()> wall_clock, log_sink log);

  /// Makes the topic unless it is there, and finds by what key the ids in it are hashed: that of one of the newest pages,
  /// otherwise the one that was offered first, which may be `own`. None: the topic cannot be used, which has been said.
  task<std::optional<std::string>> agree(std::string own, bool is_made);
  /// From now on pages by this key are written and read.
  void open(std::string key) { key_ = std::move(key); }
  bool is_open() const { return !key_.empty(); }
  const std::string& topic() const { return topic_; }

  /// Sends pages for as long as the worker runs.
  task<void> run();
  /// The key is filled in, and the session added to. What waits is bounded, and what is too much is left out.
  void publish(std::int32_t lane, shared_page what);

  /// Who wants pages.
  class learner {
   public:
    virtual ~learner() = default;
    virtual bool wants(const shared_page& what) = 0;
    virtual void learn(const shared_page& what) = 0;
    /// Older pages would bring nothing more.
    virtual bool done() const = 0;
  };
  /// Goes through the pages of a lane, the newest first, back to those that were written well before `since`. A page is
  /// trusted if the source still holds a record that the worker had read which has written it: otherwise its topic may
  /// have been deleted and made anew.
  task<result<void>> recall(std::int32_t lane, std::int64_t since, learner& by);

 private:
  task<result<void>> make_topic();
  /// Empty: nobody has written any yet.
  task<result<std::string>> find_key();
  task<result<std::string>> first_offer();
  task<result<std::string>> offer(std::string own);
  struct span {
    std::int64_t begin, end;
  };
  task<result<span>> find(std::int32_t partition);
  task<result<port::range_read>> read(std::int32_t partition, std::int64_t from, std::int64_t until);
  void add_to(outgoing& records, std::int32_t partition, shared_page what);
  task<result<void>> send(outgoing what);
  task<result<void>> recall_from(std::int32_t partition, std::int64_t since, learner& by);
  task<bool> is_of_this_source(const shared_page& what);

  engine::loop& loop_;
  const engine::options& options_;
  const plan& topology_;
  port::cluster& home_;
  std::function<std::int64_t()> wall_clock_;
  log_sink log_;
  const std::string topic_;
  const std::int32_t partitions_;
  const std::uint64_t session_;
  std::string key_;
  std::unique_ptr<port::producer> producer_;
  bool producer_ready_ = false;
  outgoing waiting_;
  bool left_out_ = false;   // something, since the last time that all went well
  time_point ask_again_{};  // before that nobody does
  signal more_;
  complaint trouble_;
};

}  // namespace flow::engine
