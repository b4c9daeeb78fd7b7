#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "allowance.hpp"
#include "commands.hpp"
#include "complaint.hpp"
#include "courier.hpp"
#include "intake.hpp"
#include "lane.hpp"
#include "loop.hpp"
#include "outbox.hpp"
#include "outputs.hpp"
#include "site.hpp"
#include "slice.hpp"

#include <flow/status.hpp>

namespace flow::engine {

/// Writes lanes to one cluster by the transactions of one producer: what fails takes all of them back, and none of
/// another writing's. A target has one, and others while partitions that do not heal are kept apart.
class writing final : public destination, private courier::owner {
 public:
  /// What is decided for all writings of a target.
  class owner {
   public:
    virtual ~owner() = default;
    virtual const port::membership& assignment() const = 0;  ///< that the lanes are owned under
    virtual const class commands& commands() const = 0;      ///< that they follow
    /// Where what has no position begins, if it was there by this version of the reading; nullptr: where the sources say.
    virtual const first_place* first() const = 0;
    virtual std::uint64_t begun_in() const = 0;
    virtual std::size_t writings() const = 0;                ///< how many share the target's memory
    virtual bool writes_as(const std::string& transactional_id) const = 0;
    virtual std::string next_id() = 0;  ///< a transactional id that nobody writes as
    /// These partitions stored nothing while others did: the lanes that write there should not hold up the rest.
    virtual void part(writing& from, const std::vector<topic_partition>& sick) = 0;
    virtual void end(const failure& why) = 0;  ///< a person has to decide
    virtual class omissions& omissions() = 0;
    virtual class allowance& allowance() = 0;  ///< that all writings of the target share
    virtual void changed() = 0;                ///< a writing is done
  };
  writing(const site& at, engine::outputs& outputs, owner& by, target_status& counted, std::string transactional_id);

  const std::string& transactional_id() const { return id_; }
  const std::vector<lane*>& lanes() const { return lanes_; }

  /// These lanes are its own, and no others; those that are taken already stay so. It is not running.
  void own(std::vector<lane*> lanes);
  /// Writes them until `finish`.
  void start();
  /// Takes more of them over while it runs.
  void add(const std::vector<lane*>& lanes);
  /// Lets go of lanes; none of them is being read.
  void give_up(const std::vector<lane*>& lanes);
  /// Commits what it has, then is `done`. What is being delivered outside of Kafka is waited for until `limit`.
  void finish(time_point limit);
  bool done() const { return session_.done(); }
  /// Abandons whatever is under way. The next `start` ends it by its `init`.
  void drop();
  /// Looks at whatever a turn may have moved.
  void turn();

  /// Writes what others must not wait for, until that has healed; then it is done, and has no more use.
  void keep_apart() { apart_ = true; }
  bool apart() const { return apart_; }
  bool retired() const { return retired_ && done(); }

  bool serving() const { return serving_; }
  bool ready() const { return ready_; }
  const std::optional<failure>& trouble() const {
    return courier_ && !trouble_.current() ? courier_->trouble() : trouble_.current();
  }
  std::size_t buffered() const { return outbox_.size() + (courier_ ? courier_->size() : 0); }

  void append(const route& to, const emission& what, const course& at, const fetched_record& record,
              const std::shared_ptr<held>& by) override;
  const class routes& routes() const override { return outputs_.routes(); }
  std::uint64_t sinks() const override { return at_.sinks; }
  std::optional<std::uint32_t> process() const override { return at_.process; }
  bool used_up() const override { return by_.allowance().used_up(); }
  bool full() const override { return used_up() || calls_wait_ || outbox_full() || (courier_ && courier_->full()); }
  bool idle() const override { return serving_ && !transacting_ && outbox_.empty() && (!courier_ || courier_->idle()); }
  void resolve(std::uint32_t sink, const std::string& topic) override;
  void interrupted(course& at, const failure& why) override;
  void halt(course& at, const std::string& reason) override;
  void hold(course& at, const blame& why) override;
  void parked(const course& at, std::string_view node, std::int64_t offset) override;
  const refusal* refused(const source_record& what) const override;
  void passed_over(std::uint32_t sink, const source& from, std::int64_t offset, const std::string& reason) override;
  bool make_calls(course& at, std::int64_t stream_time) override;

 private:
  // writing.cpp
  task<void> serve();
  bool closing() const { return finishing_ || healed(); }
  bool healed() const {
    return apart_ && (lanes_.empty() ? producer_ready_ : clean_commits_ >= enough_commits);
  }
  bool has_to_look_at_sources() const;
  task<result<void>> look_at_sources();
  void look_soon();
  void say_what_is_missing();
  void need_memories();
  void go_on_where_topics_have_changed();
  void recovered();
  time_point next_held() const;
  std::vector<lane*> taken_lanes() const;
  std::vector<lane*> fresh_lanes() const;
  void leave_all();
  auto step(std::string_view name) { return crash_point{at_.probe.reached(name, at_.name)}; }
  writer writer_now() const;
  void enqueue(const route& to, const emission& what, const source_record& of, const std::shared_ptr<held>& by);
  bool outbox_full() const { return outbox_.size() >= room() || outbox_.records() >= limit_.records; }
  bool moved(const lane& of) const;
  bool moved(const course& what) const;
  /// As far as a course has come, with all that was made of it stored or delivered once this is committed.
  place place_of(const course& at) const;
  place here(const course& at) const override;

  // delivering.cpp: what only lanes of an ordered sink have
  std::unique_ptr<courier> open_courier();
  void follow_courier();
  bool post(const source& from, std::int64_t offset, const std::vector<kept_emission>& emissions);
  std::string unwritable(const source& from, const emission& answer) const override;
  void stopped(const source& from, const place& at, const std::string& reason) override;
  task<void> finish_deliveries();
  void turn_back();

  // keeping.cpp: what only lanes of a process have
  struct made_call {
    std::vector<emission> all;
    std::vector<const route*> where;
    std::vector<omission> omitted;
    std::string refused;  ///< why not all of it is taken
  };
  task<result<void>> restore(std::vector<lane*>& lanes);
  task<result<void>> restore(lane& into, std::int64_t first, std::int64_t behind);
  result<void> restore(lane& into, const port::kept_record& record);
  result<void> go_on_keeping(keyed_state& of, const source_position& at) const;
  kept_partition& kept_in(lane& of, std::int32_t partition) const;
  bool may_call(const course& who) const;
  void make_calls();
  bool make_calls(course& at, std::int64_t stream_time, std::int64_t wall_clock, slice& time);
  bool call(course& at, const keyed_state::alarm& due);
  bool make(course& at, const keyed_state::alarm& due, const std::string* refused, made_call& into);
  void call_failed(course& at, const keyed_state::alarm& due, const blame& why);
  time_point next_call() const;

  // releasing.cpp: letters of what the lanes have parked, on their way through the operators again
  void follow_commands();
  course* ready_to_release() const;
  task<void> begin_release(course& who);
  void open_release(course& who);
  void go_on_releasing();
  void end_release(course& who);
  void break_off_release(course& who);
  bool is_taken_along(const topic_partition& letters) const;
  bool may_park(course& who);
  time_point next_release() const;

  // takeover.cpp
  task<void> find_places(std::vector<lane*> lanes);
  task<result<void>> find_places_of(std::vector<lane*>& lanes);
  task<result<void>> refuse_to_leave_behind(const std::vector<lane*>& lanes);
  task<result<void>> read_positions(std::vector<lane*>& lanes);
  task<result<void>> leave_out_those_that_cannot_be_asked(std::vector<lane*>& lanes, std::string topic);
  task<void> evict(std::vector<lane*> lanes, port::milliseconds limit);
  task<result<void>> claim_lanes(std::vector<lane*> lanes);

  // places.cpp
  task<result<void>> open_courses(std::vector<lane*> lanes);
  task<result<void>> find_look_backs(std::vector<course*> placed);
  task<result<void>> begin_courses(std::vector<course*> opened);
  void begin(course& who, std::int64_t next) const;
  task<result<void>> begin_at(start_at where, std::vector<course*> opened);
  task<result<void>> begin_as_far_as(std::string other, std::vector<course*> opened);
  task<result<void>> check_places(std::vector<course*> placed);
  void doubt(const course& at) const;
  task<result<void>> check_fingerprints(std::vector<course*> comparable);
  /// What a source partition is said to be whose topic is not there any more.
  std::string gone(const topic_partition& where) const;
  task<result<std::vector<std::optional<std::int64_t>>>> find_each(const std::vector<course*>& courses,
                                                                   port::offset_query what);

  // transaction.cpp
  struct written_lane {
    lane* of;
    position as;
    std::string encoded;
  };
  void name_producer(std::string id);
  task<result<void>> open_producer();
  void tell_topics();
  task<result<void>> transact();
  task<result<void>> commit(std::vector<written_lane> lanes, outgoing last);
  task<result<void>> store(const std::vector<written_lane>& lanes);
  task<void> recover(failure why);
  written_lane write_position(lane& of);
  bool must_close(time_point began, std::size_t bytes, std::size_t records) const;
  bool is_far() const;
  std::size_t room() const { return std::min(limit_.transaction, at_.options.share.transaction / by_.writings()); }
  void narrow_down(const failure& why);
  void forget_what_is_passed();
  void learn_rate(time_point began, std::size_t bytes);
  bool worth_committing() const;
  time_point next_commit() const;
  duration pause_between_positions() const;

  // Bytes of a transaction before it is known how much the cluster takes in its time, and how few it can get.
  static constexpr std::size_t first_transaction = 4u << 20, smallest_transaction = 4u << 10;
  // Positions that moved without any output are not worth a transaction of their own for this long.
  static constexpr auto idle_commit = std::chrono::seconds{1};
  // So many transactions in a row say that what was kept apart has healed.
  static constexpr int enough_commits = 3;

  const site& at_;
  engine::outputs& outputs_;
  owner& by_;
  target_status& counted_;
  std::string id_;
  engine::outbox outbox_;
  std::unique_ptr<port::producer> producer_;
  std::unique_ptr<port::producer> plain_;  // at_least_once: the outputs, outside of transactions
  std::unique_ptr<courier> courier_;       // of an ordered sink: its outputs, outside of Kafka
  std::size_t topics_told_ = 0;
  bool producer_ready_ = false;
  std::size_t largest_batch_ = 0;  // that the producer was opened with
  bool fenced_ = false;
  std::vector<lane*> lanes_;
  task<void> session_;
  std::shared_ptr<std::set<std::string>> fencing_ = std::make_shared<std::set<std::string>>();  // ids, being fenced
  std::optional<result<void>> found_;  // how finding the places of fresh lanes has ended
  std::vector<lane*> placed_;          // and of which
  bool serving_ = false;
  bool transacting_ = false;
  bool ready_ = false;
  bool finishing_ = false;
  bool concluded_ = false;  // the courier's last word has been heard
  time_point finish_limit_{};
  bool apart_ = false;
  bool retired_ = false;
  int clean_commits_ = 0;
  std::uint64_t sources_seen_ = 0;
  time_point look_again_ = time_point::max();  // at the sources of the courses that were interrupted
  time_point interrupted_at_{};
  backoff interruption_;
  time_point last_commit_{};
  duration commit_took_{};
  signal turned_;
  complaint trouble_;
  complaint release_trouble_;
  // What waits is never more than one transaction takes.
  struct {
    std::size_t transaction, records;
  } limit_;
  std::size_t in_transaction_ = 0;  // source records, of the latest transaction
  source_record last_sent_;         // the newest of them
  // A transaction was refused for one of its records: they are somewhere before these offsets.
  std::map<const source*, std::int64_t> suspects_;
  std::vector<refusal> refused_;  // of what no commit has passed yet
  bool calls_wait_ = false;       // for room
  std::size_t callers_ = 0;       // that have had their turn
  task<void> beginning_;        // a release
  time_point release_again_{};  // before that none is begun
  backoff releasing_;
  time_point said_parked_{};
};

}  // namespace flow::engine
