#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "complaint.hpp"
#include "intake.hpp"
#include "lane.hpp"
#include "loop.hpp"
#include "names.hpp"
#include "options.hpp"
#include "outbox.hpp"
#include "reading.hpp"

#include <flow/status.hpp>

namespace flow::engine {

/// One worker's work on one cluster that it writes to: membership, lanes, and the transactions that hold everything.
class target final : public destination {
 public:
  struct surroundings {
    engine::loop& loop;
    const engine::options& options;
    const plan& topology;
    engine::reading& reading;
    port::state& state;
    port::probe& probe;
    port::wake wake;
    log_sink log;
  };
  target(surroundings with, std::string name, port::cluster& cluster);

  /// Runs until `stop`, or until going on is refused.
  task<void> run();
  /// Finishes the open transaction, then leaves the group.
  void stop();
  /// Takes the group's events and hands waiting records on; called once per turn.
  void turn();

  target_status status() const;
  /// Why this target will never go on without a person.
  const std::optional<failure>& ended() const { return ended_; }

  class outbox& outbox() override { return outbox_; }
  std::uint64_t sinks() const override { return sinks_; }
  bool full() const override {
    return outbox_.size() >= limit_.transaction || outbox_.records() >= limit_.records;
  }
  void resolve(std::uint32_t sink, const std::string& topic) override;
  void interrupted(course& at, const failure& why) override;
  void halt(course& at, const std::string& reason) override;
  void rejected(std::uint32_t sink, const source& from, std::int64_t offset, const std::string& reason) override;

 private:
  // A process that ends at this point never comes back from it.
  struct crash_point {
    bool goes_on;
    bool await_ready() const noexcept { return goes_on; }
    void await_suspend(std::coroutine_handle<>) const noexcept {}
    void await_resume() const noexcept {}
  };

  // target.cpp: topics, membership
  task<result<void>> prepare();
  task<result<void>> prepare_lanes_topic();
  task<result<bool>> outputs_hold_records();
  task<result<void>> prepare_routes();
  struct wanted_topic {
    const source* like;  // whose topic of the home cluster it is made after
    bool create;
  };
  task<result<std::map<std::string, port::topic_description>>> find_or_create(
      std::map<std::string, wanted_topic> wanted);
  std::unique_ptr<port::member> join();
  task<void> follow_group();
  task<void> serve(bool next_generation);
  bool has_to_look_at_sources() const;
  task<result<void>> look_at_sources();
  void look_soon();
  void recovered();
  task<void> close_session();
  void drop_session();
  void end(const failure& why);
  auto step(std::string_view name) { return crash_point{with_.probe.reached(name, name_)}; }
  bool closing() const { return stopping_ || revoking_; }
  topic_partition lane_topic(std::int32_t lane) const { return {names_.lanes_topic(), lane}; }
  provenance provenance_now() const;
  writer writer_now() const;
  std::vector<lane*> all_lanes();
  std::vector<lane*> taken_lanes();

  // takeover.cpp
  task<void> find_places(std::vector<lane*> lanes);
  task<result<void>> find_places_of(std::vector<lane*> lanes);
  task<result<void>> read_positions(const std::vector<lane*>& lanes);
  task<void> evict(std::vector<lane*> lanes);
  task<result<void>> open_courses(std::vector<lane*> lanes);
  task<result<void>> begin_courses(std::vector<course*> opened);
  struct unacceptable_record;
  void pass_over_or_halt(course& at, const unacceptable_record& what);
  task<result<void>> check_places(std::vector<course*> placed);
  task<result<void>> check_fingerprints(std::vector<course*> comparable);
  task<result<std::vector<std::optional<std::int64_t>>>> find_each(const std::vector<course*>& courses,
                                                                   port::offset_query what);
  task<result<void>> claim_lanes(std::vector<lane*> lanes);

  // transaction.cpp
  struct written_lane {
    lane* of;
    position as;
    std::string encoded;
  };
  task<result<void>> open_producer();
  task<result<void>> transact();
  task<result<void>> commit(std::vector<written_lane> lanes, outgoing records);
  task<result<void>> store(const std::vector<written_lane>& lanes);
  task<void> recover(failure why);
  written_lane write_position(lane& of);
  bool must_close(time_point began, std::size_t bytes, std::size_t records) const;
  void narrow_down(const failure& why);
  void clear_suspects();
  void learn_rate(time_point began, std::size_t bytes);
  bool worth_committing() const;
  time_point next_commit() const;

  surroundings with_;
  std::string name_;
  port::cluster& cluster_;
  engine::names names_;
  std::uint64_t sinks_ = 0;
  engine::outbox outbox_;
  std::unique_ptr<port::producer> producer_;
  std::unique_ptr<port::producer> plain_;  // at_least_once: the outputs, outside of transactions
  bool producer_ready_ = false;
  bool fenced_ = false;
  topic_id lanes_topic_ = 0;
  std::unique_ptr<port::member> member_;
  port::membership assignment_;
  std::map<std::int32_t, std::unique_ptr<lane>> lanes_;
  std::uint64_t sources_seen_ = 0;
  time_point look_again_ = time_point::max();  // at the sources of the courses that were interrupted
  time_point interrupted_at_{};
  backoff interruption_;
  std::set<std::pair<std::uint32_t, std::string>> asked_for_;  // topics that records name, by sink
  std::optional<failure> missing_;                             // why some output topics are not there
  task<void> session_;
  std::optional<result<void>> found_;  // how finding the places of fresh lanes has ended
  bool serving_ = false;
  bool stopping_ = false;
  bool revoking_ = false;
  bool left_ = false;
  std::optional<failure> ended_;
  time_point last_commit_{};
  signal changed_;  // the group, or whether to go on
  signal turned_;   // whatever a turn may have moved
  complaint trouble_;
  std::optional<port::group_event> event_;
  // Bytes of a transaction before it is known how much the cluster takes in its time, and how few it can get.
  static constexpr std::size_t first_transaction = 4u << 20, smallest_transaction = 4u << 10;
  // Positions that moved without any output are not worth a transaction of their own for this long.
  static constexpr auto idle_commit = std::chrono::seconds{1};
  // What waits is never more than one transaction takes.
  struct {
    std::size_t transaction, records;
  } limit_;
  std::size_t in_transaction_ = 0;  // source records, of the latest transaction
  source_record last_sent_;         // the newest of them
  // A transaction was refused for one of its records: they are somewhere before these offsets.
  std::map<topic_partition, std::int64_t> suspects_;
  struct unacceptable_record {
    std::int64_t offset;
    std::string why;
  };
  std::map<topic_partition, unacceptable_record> unacceptable_;
  target_status counted_;
};

}  // namespace flow::engine
