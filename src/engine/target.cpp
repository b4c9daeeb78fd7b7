#include "target.hpp"

#include <algorithm>
#include <cstdlib>
#include <limits>

namespace flow::engine {
namespace {

using namespace std::chrono_literals;

constexpr auto revoke_limit = 2s;
// What has gone well for this long is not what failed before any more.
constexpr auto calm = 60s;
constexpr std::string_view lanes_segment = "16777216";
constexpr unsigned long long largest_segment = 64u << 20;
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

// A topic of another region's records takes their timestamps as they are.
port::new_topic as_in(const port::topic_description& model, const std::string& name) {
  port::new_topic made{.name = name, .partitions = model.partitions, .settings = {}};
  for (const auto key : copied_settings)
    if (const auto& value = setting(model, std::string{key}); !value.empty()) made.settings.emplace(key, value);
  made.settings.emplace("message.timestamp.after.max.ms", std::to_string(std::numeric_limits<std::int64_t>::max()));
  return made;
}

}  // namespace

target::target(surroundings with, std::string name, port::cluster& cluster)
    : with_{std::move(with)},
      name_{std::move(name)},
      cluster_{cluster},
      names_{with_.options.application, with_.options.home},
      changed_{with_.loop},
      turned_{with_.loop},
      trouble_{with_.loop, with_.log, name_},
      limit_{std::min(with_.options.buffer, first_transaction), unlimited} {
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
  if (!missing_) trouble_.settle();
  co_await follow_group();
}

void target::end(const failure& why) {
  // A member that joins anew while its cluster comes back may meet what it has asked before, and who is on the way out
  // has nothing left that another could take.
  if (stopping_ && why.kind == failure_kind::fenced_member) {
    with_.log(severity::warn, name_ + ": " + to_string(why));
    left_ = true;
    changed_.notify();
    return;
  }
  ended_ = why;
  if (why.kind == failure_kind::fenced_member)
    ended_ = {why.kind,
              "instance " + with_.options.instance + " runs twice: another process has taken its place on " + name_,
              "give each process an instance of its own"};
  with_.log(severity::error, name_ + ": " + to_string(*ended_));
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

void target::halt(course& at, const std::string& reason) {
  at.halted = next_of(at) < 0 ? reason : "offset " + std::to_string(next_of(at)) + ": " + reason;
  with_.log(severity::error, name_ + ": " + to_string(at.from->where) + " stops at " + at.halted);
}

void target::interrupted(course& at, const failure& why) {
  with_.log(severity::warn, name_ + ": " + to_string(at.from->where) + " at offset " + std::to_string(at.next) + ": " +
                                to_string(why));
  look_soon();
}

void target::look_soon() {
  if (look_again_ != time_point::max()) return;
  const auto now = with_.loop.now();
  if (now > interrupted_at_ + calm) interruption_.reset();
  interrupted_at_ = now;
  look_again_ = now + interruption_();
  turned_.notify();
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
                                                           {"segment.bytes", std::string{lanes_segment}}}}};
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
  // The newest segment is never compacted, and without a group's offset a takeover reads all that is left.
  if (const auto size = setting(topic, "segment.bytes"); std::strtoull(size.c_str(), nullptr, 10) > largest_segment)
    co_return fail(failure_kind::refused, name + " on " + name_ + " has segments of " + size + " bytes",
                   "set its segment.bytes to " + std::string{lanes_segment} + ", so that takeovers stay quick");
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
  struct output {
    std::uint32_t sink;
    const source* from;  // nullptr: whatever names the topic
    std::string topic;
  };
  if (!producer_) {
    producer_ = cluster_.open_producer({.transactional_id = names_.transactional_id(with_.options.instance),
                                        .transaction_timeout = with_.options.transaction_timeout});
    if (with_.options.promised == guarantee::at_least_once) plain_ = cluster_.open_producer({});
    lanes_topic_ = producer_->topic(names_.lanes_topic());
  }
  std::vector<output> outputs;
  for (std::uint32_t i = 0; i < with_.topology.sinks().size(); ++i) {
    const auto& sink = with_.topology.sinks()[i];
    if (!(sinks_ >> i & 1) || sink.names == sink_spec::naming::nowhere || sink.names == sink_spec::naming::by_record)
      continue;
    for (const auto& from : with_.reading.sources())
      outputs.push_back({i, from.get(), topic_of(sink, with_.options.home, from->where.topic, {})});
  }
  for (const auto& [sink, topic] : asked_for_) outputs.push_back({sink, nullptr, topic});

  std::map<std::string, wanted_topic> wanted;
  for (const auto& each : outputs) {
    const auto* like = each.from ? each.from : with_.reading.sources().front().get();
    auto& how = wanted.try_emplace(each.topic, wanted_topic{like, with_.topology.sinks()[each.sink].create}).first->second;
    // Several topics that go to one keep their partitions if it has as many as the largest.
    if (like->topic_partitions > how.like->topic_partitions) how.like = like;
  }
  auto found = co_await find_or_create(std::move(wanted));
  if (!found) co_return tl::unexpected{found.error()};
  auto& writes = plain_ ? *plain_ : *producer_;
  for (const auto& [sink, from, topic] : outputs) {
    const auto known = found->find(topic);
    if (known == found->end()) continue;
    auto to = make_route(known->second, writes.topic(topic));
    if (from)
      outbox_.add(sink, *from, std::move(to));
    else
      outbox_.add(sink, std::move(to));
  }
  co_return result<void>{};
}

// What is missing and cannot be made is said, and holds up only what would be written there.
task<result<std::map<std::string, port::topic_description>>> target::find_or_create(
    std::map<std::string, wanted_topic> wanted) {
  using topics = std::vector<port::topic_description>;
  std::vector<std::string> names;
  for (const auto& [name, how] : wanted) names.push_back(name);
  const auto describe = [&](auto done) { cluster_.describe_topics(names, std::move(done)); };
  std::map<std::string, port::topic_description> known;
  const auto learn = [&](topics& found) {
    for (auto& each : found) wanted.erase(each.name), known.insert_or_assign(each.name, std::move(each));
  };
  auto found = co_await answer<topics>(with_.loop, describe);
  if (!found) co_return tl::unexpected{found.error()};
  learn(*found);

  std::vector<std::string> models;
  for (const auto& [name, how] : wanted)
    if (how.create) models.push_back(how.like->where.topic);
  std::optional<failure> refused;
  if (!models.empty()) {
    auto originals = co_await answer<topics>(
        with_.loop, [&](auto done) { with_.reading.home().describe_topics(models, std::move(done)); });
    if (!originals) co_return tl::unexpected{originals.error()};
    std::vector<port::new_topic> made;
    for (const auto& [name, how] : wanted)
      for (const auto& model : *originals)
        if (how.create && how.like->where.topic == model.name) made.push_back(as_in(model, name));
    auto created = co_await answer<void>(with_.loop, [&](auto done) { cluster_.create_topics(made, std::move(done)); });
    if (!created) refused = created.error();
    found = co_await answer<topics>(with_.loop, describe);
    if (!found) co_return tl::unexpected{found.error()};
    learn(*found);
  }
  missing_.reset();
  if (wanted.empty()) co_return known;
  std::string all;
  for (const auto& [name, how] : wanted) all += (all.empty() ? "" : ", ") + name;
  missing_ = refused.value_or(failure{failure_kind::missing, "on " + name_ + " there is no topic " + all,
                                      "create it, or let the program create what is missing (topics.create)"});
  trouble_.raise(*missing_);
  look_soon();
  co_return known;
}

void target::resolve(std::uint32_t sink, const std::string& topic) {
  if (!topic.empty()) asked_for_.emplace(sink, topic);
  look_soon();
}

std::unique_ptr<port::member> target::join() {
  return cluster_.join({.group = names_.group(),
                        .topic = names_.lanes_topic(),
                        .instance_id = names_.prefix() + "." + with_.options.instance,
                        .session = with_.options.session,
                        .max_poll_interval = with_.options.max_poll_interval},
                       with_.wake);
}

task<void> target::follow_group() {
  member_ = join();
  backoff rejoining;
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
        // A group whose topic is gone has nothing to assign.
        if (event.partitions.empty())
          if (auto there = co_await prepare_lanes_topic(); !there) {
            if (there.error().kind == failure_kind::refused) {
              end(there.error());
              break;
            }
            trouble_.raise(there.error());
          }
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
        trouble_.raise({failure_kind::lost_member, "the group on " + name_ + " has gone on without this worker",
                        "if it happens again: is the cluster reachable, and is the session long enough?"});
        drop_session();
        lanes_.clear();
        assignment_ = {};
        member_->release();
        break;
      case port::group_event::kind::failed:
        if (event.why.kind == failure_kind::fenced_member) {
          drop_session();
          end(event.why);
          break;
        }
        trouble_.raise(event.why);
        if (event.why.kind != failure_kind::fatal) break;
        // That was this membership's last word.
        drop_session();
        lanes_.clear();
        assignment_ = {};
        co_await changed_.wait_until(with_.loop.now() + rejoining());
        member_ = join();
        break;
    }
  }
  drop_session();
  member_.reset();
  left_ = true;
}

// The group waits for whoever gives lanes back; a stop is waited for only by those who asked for it.
task<void> target::close_session() {
  const auto limit = stopping_ ? time_point::max() : with_.loop.now() + revoke_limit;
  changed_.notify();
  // Lost while they are given back: until the member is released it goes on as one that the group does not know.
  const auto lost = [&] { return event_ && event_->what == port::group_event::kind::lost; };
  while (!session_.done() && !lost() && with_.loop.now() < limit) co_await changed_.wait_until(limit);
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

std::vector<lane*> target::taken_lanes() {
  auto taken = all_lanes();
  std::erase_if(taken, [](const auto* each) { return !each->taken; });
  return taken;
}

provenance target::provenance_now() const {
  return {with_.options.application, with_.reading.cluster_id(), with_.options.lanes,
          std::string{with_.reading.how().id}};
}

writer target::writer_now() const {
  return {names_.prefix() + "." + with_.options.instance, names_.transactional_id(with_.options.instance),
          assignment_.generation};
}

bool target::has_to_look_at_sources() const {
  return sources_seen_ != with_.reading.version() || with_.loop.now() >= look_again_;
}

// What cannot be found out now is no reason to let go of what is being read.
task<result<void>> target::look_at_sources() {
  sources_seen_ = with_.reading.version();
  look_again_ = time_point::max();
  auto looked = co_await prepare_routes();
  if (looked) looked = co_await open_courses(taken_lanes());
  if (looked || looked.error().kind == failure_kind::refused) co_return looked;
  trouble_.raise(looked.error());
  look_soon();
  co_return result<void>{};
}

void target::recovered() {
  if (look_again_ == time_point::max() && !missing_ && suspects_.empty()) trouble_.settle();
  counted_.ready = true;
}

task<void> target::serve(bool next_generation) {
  // A lane that stayed keeps what it has; all others are taken over together.
  std::vector<lane*> fresh;
  for (auto* each : all_lanes())
    if (!next_generation || !each->taken) fresh.push_back(each);
  unacceptable_.clear();
  suspects_.clear();
  backoff pause;
  while (!closing()) {
    result<void> done = co_await open_producer();
    // Finding out how far fresh lanes are may take as long as somebody's open transaction; the others go on meanwhile.
    task<void> finding;
    found_ = result<void>{};
    if (done && !fresh.empty()) {
      found_.reset();
      finding = find_places(fresh);
      finding.start();
    }
    // What fails at every commit takes its lanes over successfully every time.
    const auto quiet = with_.loop.now() + idle_commit;
    serving_ = done.has_value();
    while (done && !closing()) {
      if (found_ && !fresh.empty()) {
        done = *found_;
        if (done) done = co_await claim_lanes(fresh);
        if (done) fresh.clear();
        continue;
      }
      for (auto* each : taken_lanes())
        for (const auto& course : each->courses)
          if (course->waits_for_reading()) with_.reading.board(*course);
      if (found_ && has_to_look_at_sources()) {
        done = co_await look_at_sources();
      } else if (worth_committing()) {
        done = co_await transact();
        if (done && fresh.empty()) pause.reset(), recovered();
      } else {
        if (fresh.empty() && (with_.loop.now() >= quiet || !trouble_.current())) recovered();
        const auto due = found_ ? std::min(next_commit(), look_again_) : next_commit();
        const bool has_to_settle = fresh.empty() && !counted_.ready;
        co_await turned_.wait_until(has_to_settle ? std::min(due, quiet) : due);
      }
    }
    if (done) break;
    counted_.ready = false;
    if (done.error().kind == failure_kind::refused || done.error().kind == failure_kind::fenced_member) {
      end(done.error());
      co_return;
    }
    trouble_.raise(done.error());
    const bool lost = done.error().kind == failure_kind::lost_member;
    co_await recover(done.error());
    if (lost) break;  // the group's own event says what comes next
    fresh = all_lanes();
    co_await changed_.wait_until(with_.loop.now() + pause());
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
