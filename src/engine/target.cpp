#include "target.hpp"

#include <algorithm>
#include <limits>

namespace flow::engine {
namespace {

using namespace std::chrono_literals;

constexpr auto revoke_limit = 2s;
constexpr auto unlimited = std::numeric_limits<std::size_t>::max();

const std::string& setting(const port::topic_description& topic, const std::string& name) {
  static const std::string none;
  const auto at = topic.settings.find(name);
  return at == topic.settings.end() ? none : at->second;
}

// What a topic that is made here takes over from the one it stands for.
constexpr std::string_view copied_settings[] = {"cleanup.policy",  "compression.type",    "max.message.bytes",
                                                "retention.bytes", "retention.ms",        "delete.retention.ms",
                                                "segment.bytes",   "min.compaction.lag.ms"};

}  // namespace

target::target(surroundings with, std::string name, port::cluster& cluster)
    : with_{std::move(with)},
      name_{std::move(name)},
      cluster_{cluster},
      names_{with_.options.application, with_.options.home},
      changed_{with_.loop},
      turned_{with_.loop},
      trouble_{with_.loop, with_.log, name_},
      limit_{with_.options.buffer, with_.options.buffer, unlimited} {
  const auto& sinks = with_.topology.sinks();
  for (std::size_t i = 0; i < sinks.size(); ++i)
    for (const auto& to : sinks[i].clusters)
      if (to == name_ || (to == home && name_ == with_.options.home)) sinks_ |= std::uint64_t{1} << i;
  counted_.cluster = name_;
}

task<void> target::run() {
  backoff pause;
  for (;;) {
    while (!with_.reading.ready() && !stopping_) co_await with_.reading.changed().wait_until(with_.loop.now() + 1s);
    if (stopping_) {
      left_ = true;
      co_return;
    }
    auto prepared = co_await prepare();
    if (prepared) break;
    if (prepared.error().kind == failure_kind::refused) {
      end(prepared.error());
      co_return;
    }
    trouble_.raise(prepared.error());
    co_await changed_.wait_until(with_.loop.now() + pause());
  }
  trouble_.settle();
  co_await follow_group();
}

void target::end(const failure& why) {
  with_.log(severity::error, name_ + ": " + to_string(why));
  ended_ = why;
  counted_.ready = false;
  changed_.notify();
}

void target::stop() {
  stopping_ = true;
  changed_.notify();
  turned_.notify();
}

void target::turn() {
  if (member_ && !event_) {
    event_ = member_->poll();
    if (event_) changed_.notify();
  }
  std::erase_if(resolving_, [](const auto& each) { return each.second.done(); });
  turned_.notify();
}

target_status target::status() const {
  target_status now = counted_;
  now.trouble = ended_ ? ended_ : trouble_.current();
  now.buffered = outbox_.size();
  for (const auto& [number, each] : lanes_) {
    if (serving_) now.lanes.push_back(number);
    for (const auto& course : each->courses)
      if (!course->halted.empty()) now.halted.push_back({course->from->where, next_of(*course), course->halted});
  }
  return now;
}

void target::halted(course& at, const std::string& reason) {
  with_.log(severity::error, name_ + ": " + to_string(at.from->where) + " stops at " + reason);
}

void target::rejected(std::uint32_t sink, const source& from, std::int64_t offset, const std::string& reason) {
  if (counted_.records_refused++ == 0)
    with_.log(severity::warn, name_ + ": " + with_.topology.sinks()[sink].name + ": skipped offset " +
                                  std::to_string(offset) + " of " + to_string(from.where) + ": " + reason);
}

task<result<void>> target::prepare() {
  if (auto there = co_await prepare_lanes_topic(); !there) co_return there;
  sources_seen_ = with_.reading.version();
  co_return co_await prepare_routes();
}

task<result<void>> target::prepare_lanes_topic() {
  const auto name = names_.lanes_topic();
  const std::vector<std::string> wanted{name};
  const auto describe = [&](auto done) { cluster_.describe_topics(wanted, std::move(done)); };
  auto found = co_await answer<std::vector<port::topic_description>>(with_.loop, describe);
  if (!found) co_return tl::unexpected{found.error()};
  if (found->empty()) {
    auto used = co_await outputs_hold_records();
    if (!used) co_return tl::unexpected{used.error()};
    if (*used) {
      // A worker beside this one may have made it in the meantime, and begun.
      found = co_await answer<std::vector<port::topic_description>>(with_.loop, describe);
      if (found && found->empty())
        co_return fail(failure_kind::refused,
                       "the output topics on " + name_ + " hold records, and " + name + " is missing",
                       "restore that topic; or, to begin anew beside what is there, start once with --fresh");
    }
    const std::vector<port::new_topic> lanes{{.name = name,
                                              .partitions = with_.options.lanes,
                                              .settings = {{"cleanup.policy", "compact"},
                                                           {"message.timestamp.type", "LogAppendTime"},
                                                           {"segment.bytes", "16777216"}}}};
    auto created =
        co_await answer<void>(with_.loop, [&](auto done) { cluster_.create_topics(lanes, std::move(done)); });
    if (!created) co_return created;
    found = co_await answer<std::vector<port::topic_description>>(with_.loop, describe);
    if (!found) co_return tl::unexpected{found.error()};
    if (found->empty()) co_return fail(failure_kind::retriable, name + " is being created");
  }
  const auto& topic = found->front();
  if (topic.partitions != with_.options.lanes)
    co_return fail(failure_kind::refused,
                   name + " on " + name_ + " has " + std::to_string(topic.partitions) + " lanes, and " +
                       std::to_string(with_.options.lanes) + " are configured",
                   "set lanes: " + std::to_string(topic.partitions) + "; the number is fixed at the first start");
  if (setting(topic, "cleanup.policy") != "compact")
    co_return fail(failure_kind::refused, name + " on " + name_ + " is not compacted, so positions would be deleted",
                   "set its cleanup.policy to compact");
  if (setting(topic, "message.timestamp.type") != "LogAppendTime")
    co_return fail(failure_kind::refused, name + " on " + name_ + " does not stamp its records itself",
                   "set its message.timestamp.type to LogAppendTime");
  co_return result<void>{};
}

task<result<bool>> target::outputs_hold_records() {
  if (with_.options.fresh) co_return false;
  std::set<std::string> outputs;
  for (std::uint32_t i = 0; i < with_.topology.sinks().size(); ++i) {
    const auto& sink = with_.topology.sinks()[i];
    if (!(sinks_ >> i & 1) || sink.names == sink_spec::naming::nowhere || sink.names == sink_spec::naming::by_record)
      continue;
    for (const auto& from : with_.reading.sources())
      outputs.insert(topic_of(sink, with_.options.home, from->where.topic, {}));
  }
  auto topics = co_await answer<std::vector<port::topic_description>>(
      with_.loop, [&](auto done) { cluster_.list_topics(std::move(done)); });
  if (!topics) co_return tl::unexpected{topics.error()};
  std::vector<topic_partition> where;
  for (const auto& topic : *topics)
    if (outputs.contains(topic.name))
      for (std::int32_t p = 0; p < topic.partitions; ++p) where.push_back({topic.name, p});
  if (where.empty()) co_return false;
  auto first = co_await answer<std::vector<std::int64_t>>(with_.loop, [&](auto done) {
    cluster_.find_offsets(where, {port::offset_query::kind::earliest}, std::move(done));
  });
  if (!first) co_return tl::unexpected{first.error()};
  auto behind = co_await answer<std::vector<std::int64_t>>(with_.loop, [&](auto done) {
    cluster_.find_offsets(where, {port::offset_query::kind::high_watermark}, std::move(done));
  });
  if (!behind) co_return tl::unexpected{behind.error()};
  co_return *first != *behind;
}

task<result<void>> target::prepare_routes() {
  std::map<std::string, topic_id> ids;
  std::map<std::string, port::topic_description> known;
  if (!producer_) {
    producer_ = cluster_.open_producer({.transactional_id = names_.transactional_id(with_.options.instance),
                                        .transaction_timeout = with_.options.transaction_timeout});
    if (with_.options.promised == guarantee::at_least_once) plain_ = cluster_.open_producer({});
    lanes_topic_ = producer_->topic(names_.lanes_topic());
  }
  auto& writes = plain_ ? *plain_ : *producer_;
  for (std::uint32_t i = 0; i < with_.topology.sinks().size(); ++i) {
    const auto& sink = with_.topology.sinks()[i];
    if (!(sinks_ >> i & 1) || sink.names == sink_spec::naming::nowhere || sink.names == sink_spec::naming::by_record)
      continue;
    for (const auto& from : with_.reading.sources()) {
      const auto reads = [&](const source_partition& entry) { return with_.topology.sources()[entry.source].bounded; };
      if (std::any_of(from->entries.begin(), from->entries.end(), reads)) continue;
      const auto name = topic_of(sink, with_.options.home, from->where.topic, {});
      if (!known.contains(name)) {
        auto topic = co_await find_or_create(name, sink.create, from->where);
        if (!topic) co_return tl::unexpected{topic.error()};
        ids[name] = writes.topic(name);
        known.emplace(name, std::move(*topic));
      }
      outbox_.add(i, *from, make_route(known.at(name), ids.at(name)));
    }
  }
  co_return result<void>{};
}

task<result<port::topic_description>> target::find_or_create(std::string name, bool create, topic_partition like) {
  const std::vector<std::string> wanted{name};
  const auto describe = [&](auto done) { cluster_.describe_topics(wanted, std::move(done)); };
  auto found = co_await answer<std::vector<port::topic_description>>(with_.loop, describe);
  if (!found) co_return tl::unexpected{found.error()};
  if (!found->empty()) co_return found->front();
  if (!create)
    co_return fail(failure_kind::missing, "topic " + name + " does not exist on " + name_,
                   "create it, or let the program create what is missing (topics.create)");

  const std::vector<std::string> original{like.topic};
  auto model = co_await answer<std::vector<port::topic_description>>(
      with_.loop, [&](auto done) { with_.reading.home().describe_topics(original, std::move(done)); });
  if (!model) co_return tl::unexpected{model.error()};
  if (model->empty()) co_return fail(failure_kind::missing, "topic " + like.topic + " is gone from " + with_.options.home);
  std::vector<port::new_topic> made{{.name = name, .partitions = model->front().partitions, .settings = {}}};
  for (const auto key : copied_settings)
    if (const auto& value = setting(model->front(), std::string{key}); !value.empty())
      made.front().settings.emplace(key, value);
  // A topic of another region's records takes their timestamps as they are.
  made.front().settings.emplace("message.timestamp.after.max.ms", std::to_string(std::numeric_limits<std::int64_t>::max()));
  auto created = co_await answer<void>(with_.loop, [&](auto done) { cluster_.create_topics(made, std::move(done)); });
  if (!created) co_return tl::unexpected{created.error()};
  found = co_await answer<std::vector<port::topic_description>>(with_.loop, describe);
  if (!found) co_return tl::unexpected{found.error()};
  if (found->empty()) co_return fail(failure_kind::retriable, "topic " + name + " is being created on " + name_);
  co_return found->front();
}

void target::resolve(std::uint32_t sink, const std::string& topic) {
  auto& running = resolving_[topic];
  if (!running.done()) return;
  running = resolve_later(sink, topic);
  running.start();
}

task<void> target::resolve_later(std::uint32_t sink, std::string topic) {
  backoff pause;
  for (;;) {
    const bool by_record = with_.topology.sinks()[sink].names == sink_spec::naming::by_record;
    if (!by_record) {
      auto prepared = co_await prepare_routes();
      if (prepared) break;
      trouble_.raise(prepared.error());
    } else {
      const auto& first = with_.reading.sources().front()->where;
      auto found = co_await find_or_create(topic, with_.topology.sinks()[sink].create, first);
      if (found) {
        auto& writes = plain_ ? *plain_ : *producer_;
        const auto id = writes.topic(topic);
        outbox_.add(sink, make_route(*found, id));
        break;
      }
      trouble_.raise(found.error());
    }
    co_await with_.loop.sleep(pause());
  }
  trouble_.settle();
  with_.wake();
}

task<void> target::follow_group() {
  member_ = cluster_.join({.group = names_.group(),
                           .topic = names_.lanes_topic(),
                           .instance_id = names_.prefix() + "." + with_.options.instance,
                           .session = with_.options.session,
                           .max_poll_interval = with_.options.max_poll_interval},
                          with_.wake);
  bool leaving = false;
  for (;;) {
    while (!event_ && !(stopping_ && !leaving) && !left_ && !ended_) co_await changed_.wait();
    if (left_ || ended_) break;
    if (stopping_ && !leaving && !event_) {
      leaving = true;
      co_await close_session();
      if (!with_.options.leave_on_stop) break;
      member_->leave([this](result<void>) { left_ = true, changed_.notify(); });
      continue;
    }
    const auto event = *std::exchange(event_, std::nullopt);
    switch (event.what) {
      case port::group_event::kind::assigned: {
        const bool follows = event.as.generation == assignment_.generation + 1;
        assignment_ = event.as;
        std::erase_if(lanes_, [&](const auto& each) {
          return !follows || std::find(event.partitions.begin(), event.partitions.end(), each.first) ==
                                 event.partitions.end();
        });
        for (const auto number : event.partitions)
          if (auto& each = lanes_[number]; !each)
            each = std::make_unique<lane>(lane{.to = this, .number = number, .committed = {}, .courses = {}});
        ++counted_.rebalances;
        revoking_ = false;
        if (!leaving) {
          session_ = serve(follows);
          session_.start();
        }
        break;
      }
      case port::group_event::kind::revoked:
        revoking_ = true;
        turned_.notify();
        co_await close_session();
        member_->release();
        break;
      case port::group_event::kind::lost:
        drop_session();
        lanes_.clear();
        assignment_ = {};
        member_->release();
        break;
      case port::group_event::kind::failed:
        if (event.why.kind == failure_kind::fenced_member) {
          drop_session();
          end({failure_kind::fenced_member,
               "instance " + with_.options.instance + " runs twice: another process has taken its place on " + name_,
               "give each process an instance of its own"});
        } else {
          trouble_.raise(event.why);
        }
        break;
    }
  }
  drop_session();
  member_.reset();
  left_ = true;
}

task<void> target::close_session() {
  const auto limit = with_.loop.now() + revoke_limit;
  changed_.notify();
  while (!session_.done() && with_.loop.now() < limit) co_await changed_.wait_until(limit);
  // What could not be finished in time is abandoned with its handle; the next one ends it by its `init`.
  if (!session_.done()) {
    drop_session();
    lanes_.clear();
  }
}

void target::drop_session() {
  if (!session_.done()) producer_ready_ = false;
  session_ = {};
  serving_ = false;
  counted_.ready = false;
  for (auto* each : all_lanes())
    for (const auto& course : each->courses) with_.reading.leave(*course);
  outbox_.drop();
}

std::vector<lane*> target::all_lanes() {
  std::vector<lane*> all;
  for (const auto& [number, each] : lanes_) all.push_back(each.get());
  return all;
}

provenance target::provenance_now() const {
  return {with_.options.application, with_.reading.cluster_id(), with_.options.lanes,
          std::string{with_.reading.how().id}};
}

writer target::writer_now() const {
  return {names_.prefix() + "." + with_.options.instance, names_.transactional_id(with_.options.instance),
          assignment_.generation};
}

task<void> target::serve(bool next_generation) {
  // A lane that stayed keeps what it has; all others are taken over together.
  std::vector<lane*> fresh;
  for (auto* each : all_lanes())
    if (!next_generation || !each->taken) fresh.push_back(each);
  backoff pause;
  while (!closing()) {
    result<void> done = co_await open_producer();
    if (done && !fresh.empty()) done = co_await take_over(fresh);
    if (done) {
      fresh.clear();
      for (auto* each : all_lanes())
        for (const auto& course : each->courses)
          if (!course->on && course->halted.empty()) with_.reading.board(*course);
      trouble_.settle();
      serving_ = true;
      counted_.ready = true;
      pause.reset();
      while (done && !closing() && sources_seen_ == with_.reading.version()) {
        if (worth_committing())
          done = co_await transact();
        else
          co_await turned_.wait_until(next_commit());
      }
      if (done && !closing()) {
        sources_seen_ = with_.reading.version();
        done = co_await prepare_routes();
        if (done) done = co_await open_courses(all_lanes());
      }
    }
    if (!done) {
      if (done.error().kind == failure_kind::refused) {
        end(done.error());
        co_return;
      }
      trouble_.raise(done.error());
      counted_.ready = false;
      const bool lost = done.error().kind == failure_kind::lost_member;
      co_await recover(done.error());
      if (lost) break;  // the group's own event says what comes next
      fresh = all_lanes();
      co_await changed_.wait_until(with_.loop.now() + pause());
    }
  }
  for (auto* each : all_lanes())
    for (const auto& course : each->courses) with_.reading.leave(*course);
  if (producer_ready_ && serving_ && (!outbox_.empty() || worth_committing()))
    if (auto last = co_await transact(); !last) {
      co_await recover(last.error());
      lanes_.clear();
    }
  serving_ = false;
  counted_.ready = false;
  changed_.notify();
}

}  // namespace flow::engine
