#include "member.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "failures.hpp"

namespace flow::kafka {
namespace {

using metadata_ptr =
    std::unique_ptr<rd_kafka_consumer_group_metadata_t, destroys<rd_kafka_consumer_group_metadata_destroy>>;

constexpr port::milliseconds leave_limit{10'000};

std::vector<std::int32_t> numbers_of(const rd_kafka_topic_partition_list_t* list) {
  std::vector<std::int32_t> numbers;
  for (int i = 0; list && i < list->cnt; ++i) numbers.push_back(list->elems[i].partition);
  std::ranges::sort(numbers);
  return numbers;
}

/// Up to the next zero byte, which is taken too.
std::string next_text(std::string_view& rest) {
  const std::string text{rest.substr(0, rest.find('\0'))};
  rest.remove_prefix(std::min(rest.size(), text.size() + 1));
  return text;
}

}  // namespace

port::membership parse_membership(std::string_view written) {
  constexpr std::string_view magic{"CGMDv2:"};
  port::membership as;
  if (!written.starts_with(magic) || written.size() < magic.size() + sizeof as.generation) return as;
  written.remove_prefix(magic.size());
  std::memcpy(&as.generation, written.data(), sizeof as.generation);
  written.remove_prefix(sizeof as.generation);
  as.group = next_text(written);
  as.member_id = next_text(written);
  const bool dynamic = written.empty() || written.front() != 0;
  if (!dynamic) written.remove_prefix(1), as.instance_id = next_text(written);
  return as;
}

result<std::unique_ptr<kafka_member>> kafka_member::join(const context& in, std::shared_ptr<port::mailbox> mailbox,
                                                         port::member_options options, port::wake readable) {
  properties needed{
      {"group.id", options.group},
      {"session.timeout.ms", std::to_string(options.session.count())},
      {"max.poll.interval.ms", std::to_string(std::max(options.max_poll_interval, options.session).count())},
      // The lanes of one source topic follow each other, and are to be shared too. The other is for older members.
      {"partition.assignment.strategy", "roundrobin,range"},
      {"isolation.level", "read_committed"},
      {"auto.offset.reset", "error"},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"}};
  if (!options.instance_id.empty()) needed["group.instance.id"] = options.instance_id;
  // Members learn of a rebalance from the answer to a heartbeat, so this is how long it takes at most to begin.
  const auto heartbeat = std::clamp<std::int64_t>(options.session.count() / 5, 100, 500);
  conf_ptr conf = configure(in.to,
                            {{"heartbeat.interval.ms", std::to_string(heartbeat)},
                             {"reconnect.backoff.ms", "50"},
                             {"reconnect.backoff.max.ms", "2000"}},
                            needed);
  rd_kafka_conf_set_events(conf.get(), RD_KAFKA_EVENT_REBALANCE | RD_KAFKA_EVENT_ERROR);
  auto connected = client::open(in, RD_KAFKA_CONSUMER, std::move(conf));
  if (!connected) return tl::unexpected{std::move(connected.error())};
  rd_kafka_t* const handle = (*connected)->get();
  rd_kafka_poll_set_consumer(handle);
  const partitions_ptr topics{rd_kafka_topic_partition_list_new(1)};
  rd_kafka_topic_partition_list_add(topics.get(), options.topic.c_str(), RD_KAFKA_PARTITION_UA);
  if (const auto code = rd_kafka_subscribe(handle, topics.get()))
    return tl::unexpected{failure_of(code, "group " + options.group + " on " + in.to.name)};
  return std::unique_ptr<kafka_member>{
      new kafka_member{std::move(*connected), letters{std::move(mailbox)}, std::move(options), std::move(readable)}};
}

kafka_member::kafka_member(std::shared_ptr<client> connected, letters replies, port::member_options options,
                           port::wake readable)
    : options_{std::move(options)},
      readable_{std::move(readable)},
      client_{std::move(connected)},
      queue_{rd_kafka_queue_get_consumer(client_->get())},
      replies_{std::move(replies)} {
  rd_kafka_queue_cb_event_enable(
      queue_.get(), [](rd_kafka_t*, void* opaque) { static_cast<kafka_member*>(opaque)->readable_(); }, this);
  // What came before this cannot have woken anybody.
  if (rd_kafka_queue_length(queue_.get()) > 0) readable_();
}

kafka_member::~kafka_member() {
  rd_kafka_queue_cb_event_enable(queue_.get(), nullptr, nullptr);
}

// ---- events

std::optional<port::group_event> kafka_member::poll() {
  if (held_ && !releasing_) return std::exchange(held_, std::nullopt);
  // Polling is what keeps a member in its group, also one that has nothing to hear at the moment.
  while (const event_ptr what{rd_kafka_queue_poll(queue_.get(), 0)}) {
    auto event = event_of(what.get());
    if (!event) continue;
    if (!releasing_ || event->what == port::group_event::kind::revoked || event->what == port::group_event::kind::lost)
      return event;
    if (!held_ || event->why.kind == failure_kind::fenced_member) held_ = std::move(event);
  }
  go_on_leaving();
  return std::nullopt;
}

std::optional<port::group_event> kafka_member::event_of(rd_kafka_event_t* what) {
  if (ended_) return std::nullopt;
  switch (rd_kafka_event_type(what)) {
    case RD_KAFKA_EVENT_REBALANCE:
      return rebalanced(what);
    case RD_KAFKA_EVENT_ERROR:
      return failed(rd_kafka_event_error(what), rd_kafka_event_error_string(what));
    default:
      return std::nullopt;
  }
}

std::optional<port::group_event> kafka_member::rebalanced(rd_kafka_event_t* what) {
  auto partitions = numbers_of(rd_kafka_event_topic_partition_list(what));
  if (rd_kafka_event_error(what) == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) return assigned(std::move(partitions));
  if (!std::exchange(owns_, false)) {
    rd_kafka_assign(client_->get(), nullptr);
    return std::nullopt;
  }
  releasing_ = true;
  const bool lost = rd_kafka_assignment_lost(client_->get()) != 0;
  return port::group_event{
      lost ? port::group_event::kind::lost : port::group_event::kind::revoked, std::move(partitions), as_, {}};
}

std::optional<port::group_event> kafka_member::assigned(std::vector<std::int32_t> partitions) {
  if (stage_ != stage::staying) {
    rd_kafka_assign(client_->get(), nullptr);
    return std::nullopt;
  }
  // The group cannot go on to another generation before the assignment is answered, so this is the one it belongs to.
  as_ = captured();
  const partitions_ptr nothing{rd_kafka_topic_partition_list_new(0)};
  rd_kafka_assign(client_->get(), nothing.get());
  owns_ = true;
  return port::group_event{port::group_event::kind::assigned, std::move(partitions), as_, {}};
}

port::membership kafka_member::captured() const {
  const metadata_ptr metadata{rd_kafka_consumer_group_metadata(client_->get())};
  void* written = nullptr;
  std::size_t size = 0;
  if (!metadata) return {};
  if (rd_kafka_error_t* error = rd_kafka_consumer_group_metadata_write(metadata.get(), &written, &size)) {
    rd_kafka_error_destroy(error);
    return {};
  }
  port::membership as = parse_membership({static_cast<const char*>(written), size});
  rd_kafka_mem_free(client_->get(), written);
  return as;
}

std::optional<port::group_event> kafka_member::failed(rd_kafka_resp_err_t code, const char* text) {
  const std::string what = "group " + options_.group + " on " + client_->cluster();
  if (auto why = client_->fatal(what)) {
    ended_ = true;
    if (why->kind == failure_kind::fenced_member)
      why->text = what + ": another process runs with the instance id " + options_.instance_id;
    return port::group_event{port::group_event::kind::failed, {}, {}, std::move(*why)};
  }
  // A rebalance event of its own follows the one; the others are said in the log, where they belong to a broker.
  if (code == RD_KAFKA_RESP_ERR__MAX_POLL_EXCEEDED || code == RD_KAFKA_RESP_ERR__TRANSPORT ||
      code == RD_KAFKA_RESP_ERR__RESOLVE || code == RD_KAFKA_RESP_ERR__TIMED_OUT)
    return std::nullopt;
  failure why = failure_of(code, what, text);
  // The client goes on by itself with all but fatal errors.
  if (why.kind == failure_kind::fatal) why.kind = failure_kind::retriable;
  return port::group_event{port::group_event::kind::failed, {}, {}, std::move(why)};
}

void kafka_member::release() {
  if (!std::exchange(releasing_, false)) return;
  rd_kafka_assign(client_->get(), nullptr);
  readable_();
}

// ---- leaving

/// A static member does not leave by closing: only unsubscribing sends LeaveGroup for it. So the one comes before the
/// other, and closing waits for the broker's answer.
void kafka_member::leave(port::reply<void> done) {
  left_ = replies_.addressed(std::move(done));
  if (ended_) return stage_ = stage::gone, std::exchange(left_, {})({});
  leave_until_ = std::chrono::steady_clock::now() + leave_limit;
  rd_kafka_unsubscribe(client_->get());
  stage_ = stage::unsubscribed;
  readable_();
}

void kafka_member::go_on_leaving() {
  if (!left_) return;
  if (stage_ == stage::unsubscribed && !owns_ && !releasing_) {
    stage_ = stage::closing;
    if (rd_kafka_error_t* error = rd_kafka_consumer_close_queue(client_->get(), queue_.get())) {
      rd_kafka_error_destroy(error);
      stage_ = stage::gone;
    }
  }
  if (stage_ == stage::closing && rd_kafka_consumer_closed(client_->get())) stage_ = stage::gone;
  if (stage_ == stage::gone) return std::exchange(left_, {})({});
  if (std::chrono::steady_clock::now() > leave_until_)
    std::exchange(left_, {})(fail(failure_kind::timed_out,
                                  "leaving group " + options_.group + " on " + client_->cluster() + ": no answer",
                                  "its place is free when its session has timed out"));
}

}  // namespace flow::kafka
