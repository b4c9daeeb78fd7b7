#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <flow/failure.hpp>
#include <flow/seen_ids.hpp>
#include <flow/wire.hpp>

/// Everything through which the engine reaches the world. `src/kafka` is the real thing, `src/memory` the same
/// semantics without a network; one contract suite holds both to this page.
///
/// No call here blocks. An answer comes as a `reply`, which runs exactly once, on the worker's own thread, from its
/// mailbox and never inside the call that asked; once the object that was asked is destroyed its replies never run.
/// Every request has a limit of its own after which it is answered `timed_out`.
namespace flow::port {

using milliseconds = std::chrono::milliseconds;
using time_point = std::chrono::steady_clock::time_point;

template <typename T>
using reply = std::function<void(result<T>)>;

/// Wakes the worker: something can be polled now. Runs on any thread.
using wake = std::function<void()>;

/// Whether only what committed transactions wrote is seen, or everything, aborted records too.
enum class isolation { read_committed, read_uncommitted };

/// A member's place in one generation of a group: what a broker checks before it takes offsets (KIP-447).
struct membership {
  std::string group;
  std::int32_t generation = -1;
  std::string member_id;
  std::string instance_id;

  bool valid() const { return generation >= 0 && !member_id.empty(); }
  bool operator==(const membership&) const = default;
};

/// What a group has stored for a partition.
struct group_offset {
  topic_partition where;
  std::int64_t offset = -1;  ///< -1: none is stored
  std::string metadata;

  bool operator==(const group_offset&) const = default;
};

/// A member as its coordinator knows it.
struct group_member {
  std::string member_id;
  std::string instance_id;
  std::string client_id;
};

/// A topic as it is.
struct topic_description {
  std::string name;
  std::int32_t partitions = 0;
  std::map<std::string, std::string> settings;  ///< as the cluster names them: cleanup.policy, max.message.bytes, ...
};

/// A topic as it is to be created.
struct new_topic {
  std::string name;
  std::int32_t partitions = 1;
  std::int16_t replicas = -1;  ///< -1: the cluster's default
  std::map<std::string, std::string> settings{};
};

/// Which offset of a partition is asked for.
struct offset_query {
  enum class kind {
    earliest,        ///< the first that is still there
    high_watermark,  ///< behind the last one written, open transactions included
    last_stable,     ///< behind the last one that a `read_committed` reader may see
    at_time          ///< the first whose timestamp is at least `time`; the high watermark if there is none
  };
  kind which = kind::earliest;
  std::int64_t time = 0;  ///< milliseconds since 1970 UTC
};

/// A record that owns its bytes, for the few that are read one by one.
struct kept_record {
  std::int64_t offset = 0;
  std::int64_t timestamp = 0;
  std::optional<std::string> key;
  std::optional<std::string> value;
};

/// What `cluster::read_range` answers, in offset order.
struct range_read {
  std::vector<kept_record> records;
  std::int64_t next = 0;  ///< where reading would go on; at least the asked-for end
};

/// Reads source partitions from explicit offsets, each at most once at a time. `read_committed` unless asked otherwise.
/// Offsets outside of what is there are `source_failure`s of kind `out_of_range`, never a silent reset.
class reader {
 public:
  virtual ~reader() = default;
  /// Delivers this partition's records from `offset` on. The id must be free.
  virtual void assign(source_id id, const topic_partition& where, std::int64_t offset) = 0;
  /// Nothing of this id is delivered any more, from now on; the id is free again.
  virtual void unassign(source_id id) = 0;
  /// Fills `into` with at most about `most` records of what has arrived, and no more bytes than the reader's batch;
  /// false if that is nothing. What is not polled is buffered up to the reader's bound and then left at the cluster.
  virtual bool poll(fetched& into, std::size_t most) = 0;
};

/// How a reader reads all its partitions.
struct reader_options {
  isolation isolated = isolation::read_committed;
  std::size_t buffer = 32u << 20;  ///< bytes that may wait unpolled
  std::size_t batch = 1u << 20;    ///< bytes after which a poll has enough, with `kept_beside_each` record
};

/// What happens to a member. One event at a time; the next comes only after `release` for revoked and lost lanes.
struct group_event {
  enum class kind {
    assigned,  ///< `partitions` are this member's, under `as`
    revoked,   ///< give them back: finish what is under way, then `release`
    lost,      ///< they are somebody else's already: drop what is under way, then `release`
    failed     ///< `why`; a fatal one is the last event
  };
  kind what = kind::failed;
  std::vector<std::int32_t> partitions;
  membership as;
  failure why;
};

/// Membership of a consumer group over one topic, eager `roundrobin` assignment, static if an instance id is given.
/// It stays a member only as long as it is polled: a worker that hangs loses its lanes (`max.poll.interval.ms`).
class member {
 public:
  virtual ~member() = default;
  virtual std::optional<group_event> poll() = 0;
  /// Lets go of what was revoked or lost, so that the group can go on.
  virtual void release() = 0;
  /// Leaves the group for good: what is assigned is revoked first, then `done` runs. A static member that is
  /// destroyed without leaving keeps its place until its session times out.
  virtual void leave(reply<void> done) = 0;
};

/// Which group a member joins, and when it is taken for dead.
struct member_options {
  std::string group;
  std::string topic;
  std::string instance_id;                 ///< empty: a dynamic member
  milliseconds session{10'000};            ///< that long without a sign of life, or
  milliseconds max_poll_interval{30'000};  ///< that long without a poll
};

/// How a transaction that was committed went.
struct committed {
  std::vector<std::int64_t> offsets;  ///< of the records that wanted one, in the order they were sent; -1: not known
  int end_requests = 1;               ///< how often EndTxn was sent; more than once demands `init` before the next begin
};

/// Writes to one cluster. With a transactional id: `init`, then any number of `begin`, `send`..., `send_offsets`,
/// `commit` or `abort`. Without one: `send`..., `flush`. Requests are carried out in the order they were made.
class producer {
 public:
  virtual ~producer() = default;
  /// A new handle and, for a transactional id, a new epoch: whatever that id left open is ended, with all its markers
  /// written, and every older handle is fenced. Valid at any time; what was under way is dropped.
  virtual void init(reply<void> done) = 0;
  /// From the next `init` on no more bytes than these go to a partition at once, single records aside: what a topic does
  /// not take at once it refuses whole.
  virtual void limit_batches(std::size_t bytes) = 0;
  /// The number under which `send` knows a topic: how many others were asked for before it.
  virtual topic_id topic(std::string_view name) = 0;
  virtual void begin() = 0;
  /// Takes the records whole and in order. What goes wrong is the answer of `flush` or `commit`.
  virtual void send(outgoing batch) = 0;
  /// The group's offsets become part of the transaction, if the group still knows `as`; in flight beside the records.
  virtual void send_offsets(std::vector<group_offset> offsets, const membership& as, reply<void> done) = 0;
  /// Waits for every record, then ends the transaction. Once EndTxn may have been sent only success is an answer: after
  /// any failure nothing is known, and only `init` helps. A failure before that is `abortable`, `rejected` or worse.
  virtual void commit(reply<committed> done) = 0;
  /// Answers how often EndTxn was sent; as after a commit, more than once demands `init` before the next begin.
  virtual void abort(reply<int> done) = 0;
  /// Without a transactional id: answers when every record sent so far is stored. Nothing is stored behind one that could
  /// not be, until a failed flush has said so and `init` was asked for.
  virtual void flush(reply<committed> done) = 0;
};

/// Under which name a producer writes.
struct producer_options {
  std::string transactional_id;              ///< empty: idempotent only
  milliseconds transaction_timeout{10'000};  ///< after which the cluster aborts what is left open
};

/// A connection of one worker to one cluster.
class cluster {
 public:
  virtual ~cluster() = default;

  /// The cluster's own id, the same for as long as it lives.
  virtual void identify(reply<std::string> done) = 0;
  /// All topics with their partition counts (no settings), or with settings those that are named and exist.
  virtual void list_topics(reply<std::vector<topic_description>> done) = 0;
  virtual void describe_topics(std::vector<std::string> names, reply<std::vector<topic_description>> done) = 0;
  /// Creating what is there already is a success.
  virtual void create_topics(std::vector<new_topic> topics, reply<void> done) = 0;
  virtual void add_partitions(std::string topic, std::int32_t total, reply<void> done) = 0;
  /// Everything of each partition below its offset is gone; where that was gone before nothing happens. `out_of_range`
  /// behind the high watermark, `denied` for a topic that is only compacted.
  virtual void delete_records(std::map<topic_partition, std::int64_t> below, reply<void> done) = 0;
  /// Sets these, and leaves what else the topic is set to. What somebody else sets in the same moment may be lost.
  virtual void change_settings(std::string topic, std::map<std::string, std::string> settings, reply<void> done) = 0;

  /// One offset for each partition, in the order of `where`.
  virtual void find_offsets(std::vector<topic_partition> where, offset_query what,
                            reply<std::vector<std::int64_t>> done) = 0;
  /// The records of [from, to), answered once reading has passed `to`; `timed_out` if an open transaction holds a
  /// `read_committed` reading up for longer than `limit`. Of one partition, for the few records of internal topics.
  virtual void read_range(topic_partition where, std::int64_t from, std::int64_t to, isolation isolated,
                          milliseconds limit, reply<range_read> done) = 0;

  /// The group's offsets. `read_committed` waits while a transaction that holds one is undecided, and a timeout is
  /// not "none"; `read_uncommitted` answers with the last decided ones.
  virtual void group_offsets(std::string group, std::vector<topic_partition> where, isolation isolated,
                             milliseconds limit, reply<std::vector<group_offset>> done) = 0;
  virtual void group_members(std::string group, reply<std::vector<group_member>> done) = 0;
  /// Ends whatever a transactional id has open and fences its owner, by taking a new epoch for it.
  virtual void fence(std::string transactional_id, reply<void> done) = 0;

  virtual std::unique_ptr<reader> open_reader(reader_options options, wake readable) = 0;
  virtual std::unique_ptr<member> join(member_options options, wake readable) = 0;
  virtual std::unique_ptr<producer> open_producer(producer_options options) = 0;
};

/// Where replies wait for their worker. `post` is called from any thread.
class mailbox {
 public:
  virtual ~mailbox() = default;
  virtual void post(std::function<void()> letter) = 0;
};

/// What the state directory knows of one lane.
struct lane_state {
  std::int64_t sequence = 0;
  std::string position;  ///< the position record as it stands in the lanes topic

  bool operator==(const lane_state&) const = default;
};

/// A lane of the application: its number, on the cluster that it writes to.
struct lane_key {
  std::string cluster;
  std::int32_t lane = 0;

  auto operator<=>(const lane_key&) const = default;
};

/// What a dedup has seen of [from, until) of a source partition.
struct seen_page {
  std::string node;
  topic_partition where;
  std::int64_t from = 0;
  std::int64_t until = 0;
  std::int64_t forgotten = 0;  ///< by then what happened before this time was not kept any more
  std::vector<occurrence> occurrences;

  bool operator==(const seen_page&) const = default;
};

/// A file of this process alone that ends with it, however it ends. Calls come from any thread, several at once, and
/// block as files do.
class scratch {
 public:
  virtual ~scratch() = default;
  virtual result<void> write(std::uint64_t at, std::span<const std::byte> what) = 0;
  /// What was written there; fails if that is not all there.
  virtual result<void> read(std::uint64_t at, std::span<std::byte> into) = 0;
  /// Nobody asks for [from, until) any more.
  virtual void drop(std::uint64_t from, std::uint64_t until) = 0;
};

/// The state directory of an application. Calls come from every worker's thread and return at once: writes go to the
/// page cache, one atomic batch per commit.
class state {
 public:
  virtual ~state() = default;
  virtual result<std::optional<lane_state>> read(const lane_key& lane) = 0;
  virtual result<void> write(const std::map<lane_key, lane_state>& lanes) = 0;

  /// Calls `see` for each page that was remembered under these names, by `from`; one of them is in memory at a time.
  /// What was written last may be lacking. Other calls wait until it is over.
  virtual result<void> recall(const std::string& node, const topic_partition& where,
                              const std::function<void(const seen_page&)>& see) = 0;
  /// Adds pages, in place of those that begin alike, and drops others, of which only name, partition and `from` count.
  virtual result<void> remember(const std::vector<seen_page>& pages, const std::vector<seen_page>& outdated) = 0;
  /// By which ids are hashed; the same for as long as pages are there.
  virtual std::string dedup_key() = 0;
  /// It is this one from now on, which drops pages by another. Only the first call since the directory was opened
  /// decides, before any page is recalled; each returns what it has come to.
  virtual std::string settle_dedup_key(const std::string& agreed) = 0;

  /// Room for what does not fit into memory and nobody needs after this process. It outlives the state.
  virtual result<std::unique_ptr<scratch>> open_scratch() = 0;
};

/// Named steps of the protocol, so that a test can crash a worker exactly there. Outside of tests nobody listens.
class probe {
 public:
  virtual ~probe() = default;
  /// False: the process ends here, and nothing of what comes after this step happens.
  virtual bool reached(std::string_view step, const std::string& cluster) = 0;
};

}  // namespace flow::port
