#include "outbox.hpp"

#include <array>
#include <thread>
#include <utility>

#include "failures.hpp"

namespace flow::kafka {
namespace {

using namespace std::chrono_literals;

constexpr port::milliseconds slice = 200ms;     ///< after which a wait looks whether it is still wanted
constexpr port::milliseconds init_limit = 60s;  ///< longer than any transaction in the way of a new epoch

const properties defaults{{"linger.ms", "2"},
                          {"compression.type", "none"},
                          {"queue.buffering.max.kbytes", "65536"},
                          {"queue.buffering.max.messages", "200000"},
                          // The cluster says what is too large, topic by topic.
                          {"message.max.bytes", "100000000"},
                          {"receive.message.max.bytes", "200000000"},
                          {"topic.metadata.propagation.max.ms", "5000"},
                          {"topic.metadata.refresh.fast.interval.ms", "50"},
                          {"reconnect.backoff.ms", "50"},
                          {"reconnect.backoff.max.ms", "1000"},
                          {"retry.backoff.ms", "50"}};

int rank(failure_kind kind) {
  switch (kind) {
    case failure_kind::fatal:
      return 4;
    case failure_kind::fenced:
    case failure_kind::fenced_member:
      return 3;
    case failure_kind::abortable:
      return 0;
    case failure_kind::retriable:
    case failure_kind::timed_out:
      return 1;
    default:
      return 2;
  }
}

rd_kafka_headers_t* headers_of(std::span<const header> from) {
  if (from.empty()) return nullptr;
  rd_kafka_headers_t* to = rd_kafka_headers_new(from.size());
  for (const header& each : from)
    rd_kafka_header_add(to, each.key.data(), static_cast<ssize_t>(each.key.size()),
                        each.value.is_null() ? nullptr : each.value.data(), static_cast<ssize_t>(each.value.size()));
  return to;
}

void* address(const char* data) {
  return const_cast<char*>(data);
}

}  // namespace

outbox::outbox(const context& in, port::producer_options options, std::function<bool()> dropped)
    : in_{in}, options_{std::move(options)}, dropped_{std::move(dropped)} {}

outbox::~outbox() = default;

std::string outbox::doing(std::string_view what) const {
  return std::string{what} + " on " + in_.to.name +
         (transactional() ? ", transactional id " + options_.transactional_id : std::string{});
}

failure outbox::troubled(rd_kafka_error_t* error, std::string_view what) const {
  const bool abortable = rd_kafka_error_txn_requires_abort(error) != 0;
  const bool is_fatal = rd_kafka_error_is_fatal(error) != 0;
  failure why = failure_of(error, doing(what));
  if (auto fatal = client_->fatal(doing(what))) return *fatal;
  if (is_fatal && why.kind != failure_kind::fenced) why.kind = failure_kind::fatal;
  if (abortable && heals(why.kind)) why.kind = failure_kind::abortable;
  return why;
}

void outbox::spoil(failure why) {
  // Without a transaction everything behind a refused record fails because of it.
  if (!transactional() && trouble_ && trouble_->kind == failure_kind::rejected) return;
  if (!trouble_ || rank(why.kind) > rank(trouble_->kind)) trouble_ = std::move(why);
}

void outbox::serve() {
  if (client_) rd_kafka_poll(client_->get(), 0);
}

template <typename Call>
result<void> outbox::persist(std::string_view what, port::milliseconds limit, Call call) {
  const auto until = clock::now() + limit;
  for (auto pause = 20ms;; pause = std::min(2 * pause, slice)) {
    rd_kafka_error_t* error = call(static_cast<int>(slice.count()));
    if (!error) return {};
    const bool again = rd_kafka_error_is_retriable(error) != 0;
    const bool waited = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__TIMED_OUT;
    failure why = troubled(error, what);
    if (!again) return tl::unexpected{std::move(why)};
    if (dropped_()) return fail(failure_kind::timed_out, doing(what) + ": dropped");
    if (clock::now() >= until) {
      why.kind = failure_kind::timed_out;
      return tl::unexpected{std::move(why)};
    }
    if (!waited) std::this_thread::sleep_for(pause);
  }
}

// ---- handles

result<void> outbox::open() {
  topics_.clear();
  offsets_.clear();
  trouble_.reset();
  gap_ = false;
  stored_some_ = false;
  not_stored_.clear();
  client_.reset();
  properties needed{{"enable.idempotence", "true"}, {"acks", "all"}, {"allow.auto.create.topics", "false"}};
  if (transactional()) {
    needed["transactional.id"] = options_.transactional_id;
    needed["transaction.timeout.ms"] = std::to_string(options_.transaction_timeout.count());
    // Before the transaction is over, so that it is known which partitions did not take their records.
    needed["message.timeout.ms"] = std::to_string(options_.transaction_timeout.count() * 3 / 4);
  } else {
    needed["message.timeout.ms"] = "30000";
    // What follows a record that was not stored would overtake it.
    needed["enable.gapless.guarantee"] = "true";
  }
  if (largest_batch_ < largest_batch(in_.to)) needed["batch.size"] = std::to_string(largest_batch_);
  auto tap = std::make_unique<wiretap>();
  tap->delivered = [this](const rd_kafka_message_t& message) { delivered(message); };
  auto opened = client::open(in_, RD_KAFKA_PRODUCER, configure(in_.to, defaults, needed), std::move(tap));
  if (!opened) return tl::unexpected{std::move(opened.error())};
  client_ = std::move(*opened);
  return {};
}

result<void> outbox::init(std::size_t largest_batch) {
  largest_batch_ = largest_batch;
  if (auto opened = open(); !opened || !transactional()) return opened;
  return persist("init", init_limit, [&](int ms) { return rd_kafka_init_transactions(client_->get(), ms); });
}

bool outbox::ready() {
  if (client_) return true;
  if (transactional()) {
    spoil({failure_kind::fatal, doing("write") + ": init has not been called", {}});
    return false;
  }
  if (auto opened = open(); !opened) spoil(std::move(opened.error()));
  return client_ != nullptr;
}

void outbox::begin() {
  if (!ready()) return;
  serve();
  trouble_.reset();
  stored_some_ = dropped_some_ = false;
  not_stored_.clear();
  offsets_.clear();
  client_->tap().end_requests = 0;
  if (rd_kafka_error_t* error = rd_kafka_begin_transaction(client_->get())) spoil(troubled(error, "begin"));
}

// ---- records

rd_kafka_topic_t* outbox::topic_of(topic_id id, const std::vector<std::string>& topics) {
  if (topics_.size() <= id) topics_.resize(id + 1);
  if (!topics_[id]) topics_[id].reset(rd_kafka_topic_new(client_->get(), topics.at(id).c_str(), nullptr));
  return topics_[id].get();
}

/// Records that want to know their offset carry the number of their place in the answer; the others carry nothing.
void* outbox::slot_for(const outgoing_record& record) {
  if (!record.wants_offset) return nullptr;
  offsets_.push_back(-1);
  return reinterpret_cast<void*>(offsets_.size());
}

void outbox::delivered(const rd_kafka_message_t& message) {
  if (message.err != RD_KAFKA_RESP_ERR_NO_ERROR) {
    const topic_partition where{message.rkt ? rd_kafka_topic_name(message.rkt) : "", message.partition};
    gap_ = true;
    const bool purged = message.err == RD_KAFKA_RESP_ERR__PURGE_QUEUE || message.err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT;
    // A transaction that has failed takes its records along; the commit says why.
    if (transactional() && purged) {
      dropped_some_ = true;
      return;
    }
    failure why = failure_of(message.err, to_string(where) + " on " + in_.to.name);
    if (message.err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT) not_stored_.insert(where);
    if (transactional() && heals(why.kind)) why.kind = failure_kind::abortable;
    return spoil(std::move(why));
  }
  stored_some_ = true;
  const auto slot = reinterpret_cast<std::size_t>(message._private);
  if (slot > 0 && slot <= offsets_.size()) offsets_[slot - 1] = message.offset;
}

void outbox::send(const outgoing& batch, const std::vector<std::string>& topics) {
  if (!ready()) return;
  for (const outgoing_record& record : batch.records) {
    // What follows a record that was not taken would overtake it.
    if (trouble_) break;
    send_one(record, topics);
  }
  serve();
}

/// Partitions that were added a moment ago are known only to who asks.
bool outbox::has_grown(rd_kafka_topic_t* topic, std::int32_t partition) {
  const rd_kafka_metadata_t* got = nullptr;
  if (rd_kafka_metadata(client_->get(), 0, topic, &got, 2000) != RD_KAFKA_RESP_ERR_NO_ERROR) return false;
  const bool there = got->topic_cnt == 1 && partition < got->topics[0].partition_cnt;
  rd_kafka_metadata_destroy(got);
  return there;
}

void outbox::send_one(const outgoing_record& record, const std::vector<std::string>& topics) {
  rd_kafka_topic_t* const topic = topic_of(record.topic, topics);
  const std::string_view name = topics.at(record.topic);
  const auto where = [&] {
    return to_string(topic_partition{std::string{name}, record.partition}) + " on " + in_.to.name;
  };
  if (record.timestamp == 0)
    return spoil({failure_kind::rejected, where() + ": librdkafka cannot write the timestamp 0, it would become now",
                  "give the record a timestamp"});
  rd_kafka_headers_t* const headers = headers_of(record.headers);
  std::array<rd_kafka_vu_t, 8> parts{};
  parts[0].vtype = RD_KAFKA_VTYPE_RKT;
  parts[0].u.rkt = topic;
  parts[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  parts[1].u.i32 = record.partition;
  parts[2].vtype = RD_KAFKA_VTYPE_VALUE;
  parts[2].u.mem = {address(record.value.data()), record.value.size()};
  parts[3].vtype = RD_KAFKA_VTYPE_KEY;
  parts[3].u.mem = {address(record.key.data()), record.key.size()};
  parts[4].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  parts[4].u.i64 = record.timestamp;
  parts[5].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  // The views end with the batch.
  parts[5].u.i = RD_KAFKA_MSG_F_COPY;
  parts[6].vtype = RD_KAFKA_VTYPE_OPAQUE;
  parts[6].u.ptr = slot_for(record);
  parts[7].vtype = RD_KAFKA_VTYPE_HEADERS;
  parts[7].u.headers = headers;
  const std::size_t count = headers ? 8 : 7;

  const auto until = clock::now() + options_.transaction_timeout;
  while (rd_kafka_error_t* error = rd_kafka_produceva(client_->get(), parts.data(), count)) {
    const bool full = rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL;
    if (full && clock::now() < until && !dropped_()) {
      rd_kafka_error_destroy(error);
      rd_kafka_poll(client_->get(), 10);
      continue;
    }
    if (rd_kafka_error_code(error) == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION && clock::now() < until &&
        has_grown(topic, record.partition)) {
      rd_kafka_error_destroy(error);
      continue;
    }
    failure why = failure_of(error, where());
    if (auto fatal = client_->fatal(doing("write"))) why = std::move(*fatal);
    if (transactional() && heals(why.kind)) why.kind = failure_kind::abortable;
    spoil(std::move(why));
    if (headers) rd_kafka_headers_destroy(headers);
    return;
  }
}

result<void> outbox::wait_for_deliveries() {
  const auto until = clock::now() + std::max<port::milliseconds>(options_.transaction_timeout, 5s);
  bool failed = false;
  while (rd_kafka_flush(client_->get(), static_cast<int>(slice.count())) != RD_KAFKA_RESP_ERR_NO_ERROR) {
    // The client sends no more of a transaction that has failed; a wait longer and all of the reasons are known.
    if (client_->fatal({}) || (transactional() && failed)) break;
    failed = trouble_.has_value();
    if (dropped_()) return fail(failure_kind::abortable, doing("write") + ": dropped");
    if (clock::now() >= until)
      return fail(transactional() ? failure_kind::abortable : failure_kind::timed_out,
                  doing("write") + ": not everything was stored in time");
  }
  if (auto fatal = client_->fatal(doing("write"))) spoil(std::move(*fatal));
  if (!trouble_) return {};
  const bool heals_apart = trouble_->kind == failure_kind::abortable || heals(trouble_->kind);
  if (stored_some_ && heals_apart) trouble_->where.assign(not_stored_.begin(), not_stored_.end());
  return tl::unexpected{*trouble_};
}

port::committed outbox::answered(int end_requests) {
  return {std::exchange(offsets_, {}), end_requests};
}

result<port::committed> outbox::flush() {
  if (!ready()) return tl::unexpected{*std::exchange(trouble_, std::nullopt)};
  auto stored = wait_for_deliveries();
  trouble_.reset();
  stored_some_ = false;
  not_stored_.clear();
  if (!stored) {
    offsets_.clear();
    return tl::unexpected{std::move(stored.error())};
  }
  return answered(0);
}

// ---- transactions

result<void> outbox::send_offsets(const std::vector<port::group_offset>& offsets, const port::membership& as) {
  const std::string what = doing("offsets of group " + as.group);
  if (!ready() || trouble_) return tl::unexpected{*trouble_};
  // Without a generation or a member id the broker would not ask who sends them.
  if (!as.valid()) {
    spoil({failure_kind::lost_member, what + ": not a member of the group", {}});
    return tl::unexpected{*trouble_};
  }
  const partitions_ptr list{rd_kafka_topic_partition_list_new(static_cast<int>(offsets.size()))};
  for (const port::group_offset& each : offsets) {
    auto* to = rd_kafka_topic_partition_list_add(list.get(), each.where.topic.c_str(), each.where.partition);
    to->offset = each.offset;
    if (each.metadata.empty()) continue;
    // The list frees it with the client's allocator, which is the C library's. The client reads it as a string.
    to->metadata_size = each.metadata.size();
    to->metadata = strdup(each.metadata.c_str());
  }
  const std::unique_ptr<rd_kafka_consumer_group_metadata_t, destroys<rd_kafka_consumer_group_metadata_destroy>> group{
      rd_kafka_consumer_group_metadata_new_with_genid(as.group.c_str(), as.generation, as.member_id.c_str(),
                                                      as.instance_id.empty() ? nullptr : as.instance_id.c_str())};
  rd_kafka_error_t* error = rd_kafka_send_offsets_to_transaction(
      client_->get(), list.get(), group.get(), static_cast<int>(options_.transaction_timeout.count()));
  if (client_->tap().old_offset_commits)
    spoil({failure_kind::refused, what + ": the brokers take offsets without asking who owns them",
           "a target needs Kafka 2.5 or newer"});
  if (error) spoil(troubled(error, "offsets of group " + as.group));
  if (trouble_) return tl::unexpected{*trouble_};
  return {};
}

result<port::committed> outbox::commit() {
  if (!ready()) return tl::unexpected{*trouble_};
  if (auto stored = wait_for_deliveries(); !stored) return tl::unexpected{std::move(stored.error())};
  if (dropped_()) return fail(failure_kind::abortable, doing("commit") + ": dropped");
  // One call and no more. The client forgets a call that its own thread was slow to begin, and takes what it hears next
  // for the answer to another, over which it falls when the cluster's answer comes (librdkafka 2.0.2).
  rd_kafka_error_t* const error =
      rd_kafka_commit_transaction(client_->get(), static_cast<int>(options_.transaction_timeout.count()));
  const int ends = client_->tap().end_requests;
  if (!error && dropped_some_) return fail(failure_kind::fatal, doing("commit") + ": the client dropped records of it");
  if (!error) return answered(ends);
  // The request may have gone out, or wait in the client and go out yet: then nothing is known.
  const bool undone = rd_kafka_error_txn_requires_abort(error) != 0 && ends == 0;
  failure why = troubled(error, "commit");
  if (!undone && why.kind != failure_kind::fenced && why.kind != failure_kind::fatal)
    why.kind = failure_kind::timed_out;
  return tl::unexpected{std::move(why)};
}

result<int> outbox::abort() {
  if (!ready()) return tl::unexpected{*trouble_};
  auto done = persist("abort", options_.transaction_timeout,
                      [&](int ms) { return rd_kafka_abort_transaction(client_->get(), ms); });
  trouble_.reset();
  offsets_.clear();
  // A record that the broker refused leaves a gap in the sequence of its partition, over which the next transaction
  // would fall; and an abort that overtakes the beginning of its transaction finds none to end, which the client takes
  // for fatal. Either answer has shown that nobody fenced this producer, so a new epoch is its own to take.
  const bool nothing_to_end = rd_kafka_fatal_error(client_->get(), nullptr, 0) == RD_KAFKA_RESP_ERR_INVALID_TXN_STATE;
  const int ends = client_->tap().end_requests;
  if (nothing_to_end || (done && gap_)) return init(largest_batch_).map([] { return 0; });
  return done.map([&] { return ends; });
}

}  // namespace flow::kafka
