#include "reader.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "failures.hpp"

namespace flow::kafka {
namespace {

/// Below this size of record it is their number that fills the client's queue: to it each is half a kilobyte more.
constexpr std::size_t small_record = 160;

properties defaults_for(const connection& to, std::size_t buffer) {
  // What waits, waits in two places: the client's queue, and what was taken from it at once. Either holds at most a
  // full queue and what one more fetch brings.
  const std::size_t fetch = std::max(buffer / 4, least_fetch(to));
  const std::size_t queue = std::max<std::size_t>(buffer / 2, fetch + 48'000) - fetch;
  // The client has one fetch under way, so this is what a partition brings in a round trip.
  constexpr std::size_t of_one_partition = 4'000'000;
  return {{"queued.max.messages.kbytes", std::to_string(queue / 1000)},
          {"queued.min.messages", std::to_string(queue / small_record)},
          {"fetch.max.bytes", std::to_string(fetch)},
          {"fetch.message.max.bytes", std::to_string(std::min(fetch, of_one_partition))},
          {"fetch.min.bytes", "1000000"},
          {"fetch.wait.max.ms", "25"},
          {"fetch.error.backoff.ms", "100"},
          {"topic.metadata.refresh.fast.interval.ms", "50"},
          {"topic.metadata.propagation.max.ms", "5000"},
          {"reconnect.backoff.ms", "50"},
          {"reconnect.backoff.max.ms", "2000"}};
}

bytes view_of(const void* data, std::size_t size) {
  return {static_cast<const char*>(data), size};
}

std::span<const header> headers_of(const rd_kafka_message_t& message, arena& kept) {
  rd_kafka_headers_t* headers = nullptr;
  if (rd_kafka_message_headers(&message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR) return {};
  const std::size_t count = rd_kafka_header_cnt(headers);
  if (count == 0) return {};
  auto* const first = new (kept.allocate(count * sizeof(header))) header[count];
  for (std::size_t i = 0; i < count; ++i) {
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t size = 0;
    rd_kafka_header_get_all(headers, i, &name, &value, &size);
    first[i] = {name, view_of(value, size)};
  }
  return {first, count};
}

}  // namespace

// ---- batches

void kafka_reader::batch::give_back() {
  for (rd_kafka_message_t* message : messages) rd_kafka_message_destroy(message);
  messages.clear();
  headers = arena{};
  parts.reset();
}

std::unique_ptr<kafka_reader::batch> kafka_reader::batch_pool::take() {
  const std::lock_guard lock{mutex_};
  if (free_.empty()) return std::make_unique<batch>();
  auto one = std::move(free_.back());
  free_.pop_back();
  return one;
}

void kafka_reader::batch_pool::put(std::unique_ptr<batch> used) {
  constexpr std::size_t most_kept = 8;
  const std::lock_guard lock{mutex_};
  if (free_.size() < most_kept) free_.push_back(std::move(used));
}

std::shared_ptr<kafka_reader::batch> kafka_reader::fresh_batch() {
  auto one = pool_->take();
  one->parts = parts_;
  return {one.release(), [pool = pool_](batch* used) {
            used->give_back();
            pool->put(std::unique_ptr<batch>{used});
          }};
}

// ---- assignment

result<std::unique_ptr<kafka_reader>> kafka_reader::open(const context& in, port::reader_options options,
                                                         port::wake readable) {
  const bool committed = options.isolated == port::isolation::read_committed;
  conf_ptr conf = configure(in.to, defaults_for(in.to, options.buffer),
                            {{"isolation.level", committed ? "read_committed" : "read_uncommitted"},
                             {"enable.partition.eof", "true"},
                             {"auto.offset.reset", "error"},
                             {"enable.auto.commit", "false"},
                             {"enable.auto.offset.store", "false"}});
  const std::size_t most_queued = number(conf.get(), "queued.min.messages");
  const std::size_t most_bytes = number(conf.get(), "queued.max.messages.kbytes") * 1000;
  std::unique_ptr<kafka_reader> reader{new kafka_reader{std::move(readable), most_queued, most_bytes, options.batch}};
  auto tap = std::make_unique<wiretap>();
  tap->errored = [self = reader.get()](rd_kafka_resp_err_t code, std::string_view text) { self->errored(code, text); };
  auto connected = client::open(in, RD_KAFKA_CONSUMER, std::move(conf), std::move(tap));
  if (!connected) return tl::unexpected{std::move(connected.error())};
  reader->use(std::move(*connected));
  return reader;
}

kafka_reader::kafka_reader(port::wake readable, std::size_t most_queued, std::size_t most_bytes, std::size_t batch)
    : readable_{std::move(readable)}, most_queued_{most_queued}, most_bytes_{most_bytes}, batch_{batch} {}

void kafka_reader::use(std::shared_ptr<client> connected) {
  rd_kafka_t* const handle = connected->get();
  queue_.reset(rd_kafka_queue_new(handle));
  parts_->connected = std::move(connected);
  // What the client says about itself comes the same way, so that it is served and does not pile up.
  const queue_ptr main{rd_kafka_queue_get_main(handle)};
  rd_kafka_queue_forward(main.get(), queue_.get());
  rd_kafka_queue_cb_event_enable(
      queue_.get(), [](rd_kafka_t*, void* opaque) { static_cast<kafka_reader*>(opaque)->readable_(); }, this);
}

kafka_reader::~kafka_reader() {
  if (!queue_) return;
  rd_kafka_queue_cb_event_enable(queue_.get(), nullptr, nullptr);
  for (const auto& [id, each] : sources_) stop(*each);
  for (std::size_t i = delivered_; i < arrived_.size(); ++i) rd_kafka_message_destroy(arrived_[i].message);
  const queue_ptr main{rd_kafka_queue_get_main(parts_->connected->get())};
  rd_kafka_queue_forward(main.get(), nullptr);
}

/// A missing topic or partition is an error of the handle, which names it in its text: "topic [partition]: ...".
void kafka_reader::errored(rd_kafka_resp_err_t code, std::string_view text) {
  const bool missing = kind_of(code) == failure_kind::missing;
  for (const auto& [id, each] : sources_) {
    const std::string name = each->where.topic + " [" + std::to_string(each->where.partition) + "]: ";
    if (missing && !each->failed && text.starts_with(name))
      return refuse(*each, failure_of(code, to_string(each->where)));
  }
  parts_->connected->tap().log->say(severity::warn, text);
}

kafka_reader::subject& kafka_reader::subject_of(const std::string& topic) {
  auto& found = parts_->subjects[topic];
  if (!found) {
    found = std::make_unique<subject>();
    rd_kafka_t* const handle = parts_->connected->get();
    rd_kafka_topic_conf_t* conf = rd_kafka_default_topic_conf_dup(handle);
    rd_kafka_topic_conf_set_opaque(conf, found.get());
    found->handle.reset(rd_kafka_topic_new(handle, topic.c_str(), conf));
  }
  return *found;
}

kafka_reader::source* kafka_reader::source_of(const rd_kafka_message_t& message) const {
  if (!message.rkt) return nullptr;
  const auto& sources = static_cast<const subject*>(rd_kafka_topic_opaque(message.rkt))->by_partition;
  const auto partition = static_cast<std::size_t>(message.partition);
  return partition < sources.size() ? sources[partition] : nullptr;
}

void kafka_reader::start(source& of) {
  of.started = rd_kafka_consume_start_queue(of.topic, of.where.partition, of.next, queue_.get()) == 0;
  if (!of.started) refuse(of, failure_of(rd_kafka_last_error(), to_string(of.where)));
}

void kafka_reader::refuse(source& of, failure why) {
  of.failed = true;
  refused_.push_back({of.id, std::move(why)});
  readable_();
}

void kafka_reader::stop(source& of) {
  if (std::exchange(of.started, false)) rd_kafka_consume_stop(of.topic, of.where.partition);
}

void kafka_reader::assign(source_id id, const topic_partition& where, std::int64_t offset) {
  auto made = std::make_unique<source>();
  made->id = id;
  made->where = where;
  made->next = offset;
  source& of = *sources_.insert_or_assign(id, std::move(made)).first->second;
  // To the client some negative offsets are names: the beginning, the end, the stored one.
  if (offset < 0 || where.partition < 0)
    return refuse(of, {failure_kind::out_of_range, to_string(where) + ": no offset " + std::to_string(offset), {}});
  subject& topic = subject_of(where.topic);
  if (!topic.handle) return refuse(of, failure_of(rd_kafka_last_error(), to_string(where)));
  const auto partition = static_cast<std::size_t>(where.partition);
  if (topic.by_partition.size() <= partition) {
    look_at_growth(topic);
    topic.by_partition.resize(partition + 1);
  }
  topic.by_partition[partition] = &of;
  of.topic = topic.handle.get();
  start(of);
}

/// The client looks for new partitions of a topic that it knows every ten seconds. Asking makes it look at once; the
/// answer is for the client, not for us.
void kafka_reader::look_at_growth(subject& topic) {
  constexpr std::chrono::seconds fresh{1};
  const auto now = std::chrono::steady_clock::now();
  if (now < std::exchange(topic.looked_at, now) + fresh) return;
  const rd_kafka_metadata_t* got = nullptr;
  if (rd_kafka_metadata(parts_->connected->get(), 0, topic.handle.get(), &got, 1) == RD_KAFKA_RESP_ERR_NO_ERROR)
    rd_kafka_metadata_destroy(got);
}

void kafka_reader::unassign(source_id id) {
  const auto found = sources_.find(id);
  if (found == sources_.end()) return;
  source* const of = found->second.get();
  stop(*of);
  // Errors carry no version, so the client would deliver those that are still queued to the next assignment.
  take_arrivals();
  std::erase_if(refused_, [&](const source_failure& each) { return each.source == id; });
  const auto kept = std::stable_partition(arrived_.begin() + static_cast<std::ptrdiff_t>(delivered_), arrived_.end(),
                                          [&](const arrival& each) { return each.from != of; });
  std::for_each(kept, arrived_.end(), [](const arrival& each) { rd_kafka_message_destroy(each.message); });
  arrived_.erase(kept, arrived_.end());
  if (of->topic) subject_of(of->where.topic).by_partition[static_cast<std::size_t>(of->where.partition)] = nullptr;
  sources_.erase(found);
}

// ---- delivery

/// Takes all that the client has queued. If that was as much as it queues at most it has stopped fetching, and looks
/// again only after a second: whoever drains faster than a buffer per second has to wake it up.
void kafka_reader::take_arrivals() {
  const std::size_t count = rd_kafka_queue_length(queue_.get());
  if (count == 0) return;
  if (scratch_.size() < count) scratch_.resize(count);
  const auto taken = rd_kafka_consume_batch_queue(queue_.get(), 0, scratch_.data(), count);
  const std::size_t first_new = arrived_.size();
  std::size_t size = 0;
  for (std::ptrdiff_t i = 0; i < taken; ++i) {
    rd_kafka_message_t* const message = scratch_[static_cast<std::size_t>(i)];
    size += message->len + message->key_len;
    if (!arrived(message)) rd_kafka_message_destroy(message);
  }
  if (count >= most_queued_ || size >= most_bytes_) restart_fetching(first_new);
}

bool kafka_reader::arrived(rd_kafka_message_t* message) {
  source* const from = source_of(*message);
  if (!from || from->failed) return false;
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (message->offset < from->next) {
      refuse(*from, {failure_kind::retriable,
                     to_string(from->where) + ": offset " + std::to_string(message->offset) + " came after " +
                         std::to_string(from->next - 1),
                     "it is read again from its position"});
      return false;
    }
    from->next = message->offset + 1;
  } else if (message->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    from->next = std::max(from->next, message->offset);
  }
  arrived_.push_back({message, from});
  return true;
}

/// Starts one partition of each broker anew, at our own next offset: that makes the broker's thread look at all of
/// its partitions.
void kafka_reader::restart_fetching(std::size_t first_new) {
  std::vector<std::int32_t> awake;
  for (std::size_t i = arrived_.size(); i-- > first_new;) {
    const auto& [message, from] = arrived_[i];
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR || !from->started) continue;
    const std::int32_t broker = rd_kafka_message_broker_id(message);
    if (std::ranges::find(awake, broker) != awake.end()) continue;
    awake.push_back(broker);
    stop(*from);
    start(*from);
  }
}

bool kafka_reader::poll(fetched& into, std::size_t most) {
  into.clear();
  std::swap(into.failures, refused_);
  refused_.clear();
  if (delivered_ == arrived_.size()) {
    arrived_.clear();
    delivered_ = 0;
    take_arrivals();
  }
  if (delivered_ < arrived_.size()) {
    const auto kept = fresh_batch();
    const std::size_t until = std::min(arrived_.size(), delivered_ + most);
    for (std::size_t size = 0; delivered_ < until && size < batch_;) {
      const arrival& next = arrived_[delivered_++];
      size += next.message->len + next.message->key_len + kept_beside_each;
      deliver(next, into, *kept);
    }
    if (!kept->messages.empty()) into.buffers = kept;
  }
  return !into.empty();
}

void kafka_reader::deliver(const arrival& what, fetched& into, batch& kept) {
  source& from = *what.from;
  if (from.failed) return rd_kafka_message_destroy(what.message);
  if (what.message->err == RD_KAFKA_RESP_ERR_NO_ERROR) return deliver_record(what.message, from, into, kept);
  deliver_error(*what.message, from, into);
  rd_kafka_message_destroy(what.message);
}

void kafka_reader::deliver_record(rd_kafka_message_t* message, source& from, fetched& into, batch& kept) {
  kept.messages.push_back(message);
  if (std::exchange(from.at_end, false))
    std::erase_if(into.ends, [&](const reached_end& each) { return each.source == from.id; });
  rd_kafka_timestamp_type_t kind{};
  into.records.push_back({from.id, message->offset, rd_kafka_message_timestamp(message, &kind),
                          view_of(message->key, message->key_len), view_of(message->payload, message->len),
                          headers_of(*message, kept.headers)});
}

void kafka_reader::deliver_error(const rd_kafka_message_t& message, source& from, fetched& into) {
  if (message.err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
    if (std::exchange(from.at_end, true))
      std::erase_if(into.ends, [&](const reached_end& each) { return each.source == from.id; });
    into.ends.push_back({from.id, message.offset});
    return;
  }
  from.failed = true;
  into.failures.push_back({from.id, failure_of(message.err, to_string(from.where), rd_kafka_message_errstr(&message))});
}

}  // namespace flow::kafka
