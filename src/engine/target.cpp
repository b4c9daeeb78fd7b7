#include "target.hpp"

#include <algorithm>
#include <utility>

#include "refusals.hpp"

namespace flow::engine {
namespace {

using namespace std::chrono_literals;

constexpr auto revoke_limit = 2s;
constexpr std::size_t most_writings = 8;

}  // namespace

target::target(site at)
    : at_{std::move(at)},
      outputs_{at_},
      commands_{at_},
      settings_{at_, outputs_, [this] { return topics_in_charge(); }},
      changed_{at_.loop},
      trouble_{at_.loop, at_.log, at_.name},
      omissions_{at_.log, at_.name},
      allowance_{at_.loop} {
  allowance_.set(at_.options.catch_up_limit);
  counted_.cluster = at_.cluster_name();
  counted_.sink = at_.names.sink;
}

// That it cannot be reached is said at once, and not only when the cluster that is read can be.
task<void> target::identify() {
  backoff pause;
  while (!is_over()) {
    identity_.reset();
    at_.cluster.identify([this](auto id) { identity_ = std::move(id), changed_.notify(); });
    while (!identity_ && !is_over()) co_await changed_.wait();
    if (identity_ && *identity_) break;
    if (!identity_) continue;
    trouble_.raise(identity_->error());
    co_await changed_.wait_until(at_.loop.now() + pause());
  }
  if (!identity_ || !*identity_) co_return;
  trouble_.settle();
  at_.identities[at_.cluster_name()] = **identity_;
}

std::optional<failure> target::known_by_another_name() const {
  const auto& own = at_.identities.at(at_.cluster_name());
  for (const auto& [name, id] : at_.identities)
    if (id == own && name != at_.cluster_name()) return one_and_the_same(at_.cluster_name(), name, id);
  return std::nullopt;
}

task<void> target::run() {
  while (!stopping_) {
    if (removed_) {
      co_await changed_.wait();
      continue;
    }
    works_ = true;
    begun_in_ = std::max<std::uint64_t>(at_.reading.version(), 1);
    co_await work();
    while (ended_ && !is_over()) co_await changed_.wait();
    if (stopping_) break;
    forget();
    works_ = false;
  }
}

// It is found out anew where it begins again.
void target::forget() {
  following_commands_ = {};
  following_settings_ = {};
  lanes_.clear();
  kept_apart_.clear();
  writings_.clear();
  outputs_.forget_routes();
  ids_used_ = 0;
  assignment_ = {};
  event_.reset();
  ended_.reset();
  left_ = false;
}

task<void> target::work() {
  co_await identify();
  backoff pause;
  for (;;) {
    while (!at_.reading.ready() && !is_over()) co_await at_.reading.changed().wait_until(at_.loop.now() + 1s);
    if (is_over()) {
      left_ = true;
      co_return;
    }
    auto prepared = co_await prepare_topics();
    if (prepared) break;
    if (prepared.error().kind == failure_kind::refused) {
      end(prepared.error());
      co_return;
    }
    trouble_.raise(prepared.error());
    co_await changed_.wait_until(at_.loop.now() + pause());
  }
  trouble_.settle();
  writings_.push_back(open_writing());
  if (!at_.topology.parking().empty()) {
    following_commands_ = commands_.follow();
    following_commands_.start();
  }
  if (settings_.are_followed()) {
    following_settings_ = settings_.follow();
    following_settings_.start();
  }
  co_await follow_group();
}

task<result<void>> target::prepare_topics() {
  if (auto refused = outputs_.leads_back()) co_return tl::unexpected{*refused};
  if (auto refused = known_by_another_name()) co_return tl::unexpected{*refused};
  auto prepared = co_await outputs_.prepare_changelog();
  if (prepared) prepared = co_await outputs_.prepare_lanes_topic();
  if (prepared) prepared = co_await outputs_.prepare_commands_topic();
  if (prepared) prepared = co_await register_as_reader();
  if (prepared) prepared = co_await outputs_.prepare_routes();
  co_return prepared;
}

task<result<void>> target::register_as_reader() {
  if (!lead_to_from_own(at_.topology, at_.sinks)) co_return result<void>{};
  auto& home = at_.reading.home();
  const auto topic = at_.names.readers_topic();
  const std::vector<port::new_topic> wanted{
      {.name = topic, .partitions = 1, .settings = {{"cleanup.policy", "compact"}}}};
  auto done = co_await answer<void>(at_.loop, [&](auto reply) { home.create_topics(wanted, std::move(reply)); });
  if (!done) co_return done;
  const auto producer = home.open_producer({});
  done = co_await answer<void>(at_.loop, [&](auto reply) { producer->init(std::move(reply)); });
  if (!done) co_return done;
  // It may be on its way when this worker is not there any more.
  const auto entry = std::make_shared<std::pair<std::string, std::string>>(at_.name, at_.options.instance);
  outgoing records;
  records.buffers.push_back(entry);
  records.records.push_back({.topic = producer->topic(topic),
                             .partition = 0,
                             .timestamp = at_.wall_clock(),
                             .key = bytes{entry->first},
                             .value = bytes{entry->second},
                             .headers = {}});
  producer->send(std::move(records));
  auto stored = co_await answer<port::committed>(at_.loop, [&](auto reply) { producer->flush(std::move(reply)); });
  if (!stored) co_return tl::unexpected{stored.error()};
  co_return result<void>{};
}

void target::end(const failure& why) {
  // A member that joins anew while its cluster comes back may meet what it has asked before, and who is on the way out
  // has nothing left that another could take.
  if (is_over() && why.kind == failure_kind::fenced_member) {
    at_.log(severity::warn, at_.name + ": " + to_string(why));
    left_ = true;
    changed_.notify();
    return;
  }
  ended_ = why;
  if (why.kind == failure_kind::fenced_member)
    ended_ = {why.kind,
              "instance " + at_.options.instance + " runs twice: another process has taken its place on " + at_.name,
              "give each process an instance of its own"};
  at_.log(severity::error, at_.name + ": " + to_string(*ended_));
  changed_.notify();
}

void target::stop() {
  stopping_ = true;
  for (const auto& each : writings_) each->finish(time_point::max());
  changed_.notify();
}

void target::pause() {
  if (std::exchange(paused_, true)) return;
  at_.log(severity::info, at_.name + ": pauses");
  if (std::exchange(writes_, false))
    for (const auto& each : writings_) each->finish(time_point::max());
}

void target::resume() {
  if (!std::exchange(paused_, false)) return;
  at_.log(severity::info, at_.name + ": goes on after a pause");
  changed_.notify();
}

void target::remove() {
  if (std::exchange(removed_, true)) return;
  at_.log(severity::info, at_.name + ": is removed");
  changed_.notify();
}

void target::add(first_place where) {
  if (!std::exchange(removed_, false)) return;
  first_ = std::move(where);
  at_.log(severity::info, at_.name + ": is added");
  changed_.notify();
}

void target::limit(std::optional<std::uint64_t> bytes_per_second) {
  allowance_.set(bytes_per_second);
  at_.log(severity::info, at_.name + ": " +
                              (bytes_per_second ? "takes " + std::to_string(*bytes_per_second) + " bytes per second at most"
                                                : "takes as much as there is"));
}

void target::turn() {
  if (member_ && !event_) {
    event_ = member_->poll();
    if (event_) changed_.notify();
  }
  for (const auto& each : writings_) each->turn();
  if (ready()) trouble_.settle();
}

bool target::ready() const {
  const auto is_ready = [](const auto& each) { return each->ready() || (each->apart() && each->lanes().empty()); };
  return !ended_ && !writings_.empty() && std::all_of(writings_.begin(), writings_.end(), is_ready);
}

bool target::at_rest() const {
  return std::all_of(writings_.begin(), writings_.end(), [](const auto& each) { return each->done(); });
}

target_status target::status() const {
  target_status now = counted_;
  now.ready = ready();
  now.paused = paused();
  now.removed = removed();
  now.limit = allowance_.bytes_per_second();
  now.trouble = ended_ ? ended_ : trouble_.current();
  for (const auto& each : writings_) {
    if (!now.trouble && !now.paused) now.trouble = each->trouble();
    now.buffered += each->buffered();
    if (each->serving() || (now.paused && owns_lanes_))
      for (const auto* lane : each->lanes()) now.lanes.push_back(lane->number);
  }
  std::sort(now.lanes.begin(), now.lanes.end());
  std::map<std::string, std::uint64_t> parked;
  for (const auto& [number, each] : lanes_) {
    for (const auto& [partition, kept] : each->kept) now.kept_keys += kept.state.count();
    for (const auto& course : each->courses) {
      if (!course->halted.empty()) now.halted.push_back({course->from->where, next_of(*course), course->halted});
      auto keys = parked_of(*course, at_.topology);
      keys.keys.add(keys.released);
      for (const auto& [node, some] : keys.keys.all()) parked[node] += some.size();
    }
  }
  for (const auto& [node, count] : parked) now.parked.push_back({node, count});
  return now;
}

std::string target::instance_id() const {
  return at_.names.prefix() + "." + at_.options.instance;
}

std::unique_ptr<port::member> target::join() {
  return at_.cluster.join({.group = at_.names.group(),
                           .topic = at_.names.lanes_topic(),
                           .instance_id = instance_id(),
                           .session = at_.options.session,
                           .max_poll_interval = at_.options.max_poll_interval},
                          at_.wake);
}

task<void> target::follow_group() {
  member_ = join();
  backoff rejoining;
  bool leaving = false;
  for (;;) {
    while (!event_ && !(is_over() && !leaving) && !left_ && !ended_) {
      bring_together();
      begin_session();
      co_await changed_.wait();
    }
    if (left_ || ended_) break;
    if (is_over() && !leaving && !event_) {
      leaving = true;
      co_await close_session();
      if (stopping_ && !at_.options.leave_on_stop) break;
      member_->leave([this](result<void>) { left_ = true, changed_.notify(); });
      continue;
    }
    const auto event = *std::exchange(event_, std::nullopt);
    switch (event.what) {
      case port::group_event::kind::assigned:
        // A group whose topic is gone has nothing to assign.
        if (event.partitions.empty())
          if (auto there = co_await outputs_.prepare_lanes_topic(); !there) {
            if (there.error().kind == failure_kind::refused) {
              end(there.error());
              break;
            }
            trouble_.raise(there.error());
          }
        ++counted_.rebalances;
        if (leaving) break;
        assign(event);
        break;
      case port::group_event::kind::revoked:
        co_await close_session();
        member_->release();
        break;
      case port::group_event::kind::lost:
        trouble_.raise({failure_kind::lost_member, "the group on " + at_.name + " has gone on without this worker",
                        "if it happens again: is the cluster reachable, and is the session long enough?"});
        drop_session();
        assignment_ = {};
        member_->release();
        break;
      case port::group_event::kind::failed:
        trouble_.raise(event.why);
        if (event.why.kind != failure_kind::fenced_member && event.why.kind != failure_kind::fatal) break;
        // That was this membership's last word.
        drop_session();
        assignment_ = {};
        if (leaving) {
          left_ = true;
          break;
        }
        if (event.why.kind == failure_kind::fatal) {
          co_await changed_.wait_until(at_.loop.now() + rejoining());
        } else if (!co_await place_is_given_up()) {
          end(event.why);
          break;
        }
        member_ = join();
        break;
    }
  }
  drop_session();
  member_.reset();
  left_ = true;
}

// An earlier request of this worker to join, which it had given up while its broker went away, can take its place too.
// Nobody gives a sign of life for that one, so its session ends: once all others have joined as well, and a coordinator
// that is new counts it from the beginning.
task<bool> target::place_is_given_up() {
  const auto is_ours = [this](const port::group_member& each) { return each.instance_id == instance_id(); };
  std::optional<time_point> believed;
  backoff pause{100ms, 1s};
  while (!is_over()) {
    const auto members = co_await answer<std::vector<port::group_member>>(
        at_.loop, [&](auto done) { at_.cluster.group_members(at_.names.group(), std::move(done)); });
    if (members && std::none_of(members->begin(), members->end(), is_ours)) co_return true;
    if (!members) {
      trouble_.raise(members.error());
      believed.reset();
    } else if (!believed) {
      believed = at_.loop.now() + at_.options.max_poll_interval + 2 * at_.options.session;
    } else if (at_.loop.now() >= *believed) {
      break;
    }
    const auto again = at_.loop.now() + pause();
    while (!is_over() && at_.loop.now() < again) co_await changed_.wait_until(again);
  }
  co_return false;
}

// A lane that stayed keeps what it has, and who writes it.
void target::assign(const port::group_event& event) {
  const bool follows = event.as.generation == assignment_.generation + 1;
  const auto& owned = event.partitions;
  assignment_ = event.as;
  std::erase_if(lanes_, [&](const auto& each) {
    return !follows || std::find(owned.begin(), owned.end(), each.first) == owned.end();
  });
  for (const auto number : owned)
    if (auto& each = lanes_[number]; !each) {
      const auto apart = kept_apart_.find(number);
      writing* by = apart == kept_apart_.end() ? writings_.front().get() : apart->second;
      each = std::make_unique<lane>(lane{.to = by, .number = number, .committed = {}, .kept = {}, .courses = {}});
    }
  for (const auto& each : writings_) each->own(lanes_of(*each));
  owns_lanes_ = true;
}

// What a pause has ended goes on where it was, once that is over.
void target::begin_session() {
  if (!owns_lanes_ || writes_ || paused_ || !at_rest()) return;
  writes_ = true;
  for (const auto& each : writings_) each->start();
}

std::vector<lane*> target::lanes_of(const writing& who) const {
  std::vector<lane*> found;
  for (const auto& [number, each] : lanes_)
    if (each->to == &who) found.push_back(each.get());
  return found;
}

// Who writes what comes from the first partition of a topic looks after the topic.
std::set<std::string> target::topics_in_charge() const {
  std::set<std::string> topics;
  if (paused_) return topics;
  for (const auto& [number, each] : lanes_)
    for (const auto& course : each->courses)
      if (course->from->where.partition == 0) topics.insert(course->from->where.topic);
  return topics;
}

std::unique_ptr<writing> target::open_writing() {
  writing::owner& by = *this;
  return std::make_unique<writing>(at_, outputs_, by, counted_, next_id());
}

// The one that was used longest ago: what it has left is the most likely to be over.
std::string target::next_id() {
  constexpr int ids = 16;
  for (;;) {
    const auto number = ids_used_++ % ids;
    auto id = at_.names.transactional_id(at_.options.instance);
    if (number > 0) id += "." + std::to_string(number + 1);
    if (!writes_as(id)) return id;
  }
}

bool target::writes_as(const std::string& transactional_id) const {
  return std::any_of(writings_.begin(), writings_.end(),
                     [&](const auto& each) { return each->transactional_id() == transactional_id; });
}

// The lanes of sick partitions stay where they are: that producer can end nothing and begin nothing before their markers
// are written. The others go on with another.
void target::part(writing& from, const std::vector<topic_partition>& sick) {
  auto healthy = from.lanes();
  std::erase_if(healthy, [&](const auto* each) {
    return std::any_of(sick.begin(), sick.end(), [&](const auto& where) { return outputs_.concern(*each, where); });
  });
  const bool is_one_too_many = writings_.size() == most_writings;
  if (healthy.empty() || healthy.size() == from.lanes().size() || (is_one_too_many && !from.apart())) return;
  from.give_up(healthy);
  for (const auto* each : from.lanes()) kept_apart_[each->number] = &from;
  at_.log(severity::warn, at_.name + ": " + to_string(sick.front()) + " is kept apart until it can be written again");
  if (from.apart()) return writings_.front()->add(healthy);
  from.keep_apart();
  writings_.insert(writings_.begin(), open_writing());
  writings_.front()->own(std::move(healthy));
  writings_.front()->start();
}

void target::bring_together() {
  std::erase_if(writings_, [&](const auto& each) {
    if (!each->retired()) return false;
    at_.log(severity::info, at_.name + ": what was kept apart can be written again");
    const auto lanes = each->lanes();
    each->give_up(lanes);
    writings_.front()->add(lanes);
    std::erase_if(kept_apart_, [&](const auto& lane) { return lane.second == each.get(); });
    return true;
  });
}

// The group waits for whoever gives lanes back; a stop is waited for only by those who asked for it.
task<void> target::close_session() {
  const auto limit = is_over() ? time_point::max() : at_.loop.now() + revoke_limit;
  owns_lanes_ = writes_ = false;
  for (const auto& each : writings_) each->finish(limit);
  changed_.notify();
  // Lost while they are given back: until the member is released it goes on as one that the group does not know.
  const auto lost = [&] { return event_ && event_->what == port::group_event::kind::lost; };
  while (!at_rest() && !lost() && at_.loop.now() < limit) co_await changed_.wait_until(limit);
  // What could not be finished in time is abandoned with its handle; the next one ends it by its `init`.
  for (const auto& each : writings_) {
    if (each->done()) continue;
    each->drop();
    std::erase_if(lanes_, [&](const auto& lane) { return lane.second->to == each.get(); });
  }
}

void target::drop_session() {
  owns_lanes_ = writes_ = false;
  for (const auto& each : writings_) each->drop();
  lanes_.clear();
}

}  // namespace flow::engine
