#include "inquiry.hpp"

#include <algorithm>
#include <set>

#include "engine/lane_positions.hpp"
#include "engine/mapping.hpp"
#include "engine/position.hpp"
#include "log.hpp"
#include "to_kafka.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using kind = port::offset_query::kind;

constexpr auto longest_silence = 30s;
constexpr auto ask_again = 200ms;
constexpr auto range_limit = 5s;
constexpr std::size_t read_buffer = 8u << 20;

}  // namespace

inquiry::inquiry(const app_options& by, const std::string& cluster, std::chrono::milliseconds patience,
                 std::shared_ptr<letter_box> box)
    : patience_{patience}, box_{std::move(box)}, name_{cluster} {
  const auto connect = by.connect ? by.connect : connector{to_kafka};
  cluster_ = connect(cluster, by.clusters.at(cluster), by.application + "-inquiry", box_, log_to(by.logger));
}

template <typename T>
result<T> inquiry::ask(const std::function<void(port::reply<T>)>& question, limit patience) {
  for (const auto until = clock::now() + patience.value_or(patience_);;) {
    // It outlives this call: an answer that nobody waits for any more has to go somewhere.
    const auto answer = std::make_shared<std::optional<result<T>>>();
    question([answer](result<T> got) { *answer = std::move(got); });
    for (box_->open_all(); !*answer; box_->open_all()) box_->wait_until(clock::now() + ask_again);
    if (*answer && (**answer || !heals((**answer).error().kind) || clock::now() >= until)) return std::move(**answer);
    for (const auto again = clock::now() + ask_again; clock::now() < again; box_->open_all()) box_->wait_until(again);
  }
}

result<std::string> inquiry::identify() {
  return ask<std::string>([&](auto done) { cluster_->identify(std::move(done)); });
}

result<std::vector<port::topic_description>> inquiry::topics() {
  return ask<std::vector<port::topic_description>>([&](auto done) { cluster_->list_topics(std::move(done)); });
}

result<std::vector<port::topic_description>> inquiry::topics(const std::vector<std::string>& named,
                                                                limit patience) {
  if (named.empty()) return std::vector<port::topic_description>{};
  return ask<std::vector<port::topic_description>>(
      [&](auto done) { cluster_->describe_topics(named, std::move(done)); }, patience);
}

result<std::vector<std::int64_t>> inquiry::offsets(const std::vector<topic_partition>& of, kind which,
                                                   limit patience) {
  if (of.empty()) return std::vector<std::int64_t>{};
  return ask<std::vector<std::int64_t>>(
      [&](auto done) { cluster_->find_offsets(of, {which}, std::move(done)); }, patience);
}

result<std::map<topic_partition, inquiry::range>> inquiry::ranges(const std::vector<topic_partition>& of,
                                                                          limit patience) {
  const auto first = offsets(of, kind::earliest, patience);
  if (!first) return tl::unexpected{first.error()};
  const auto behind = offsets(of, kind::last_stable, patience);
  if (!behind) return tl::unexpected{behind.error()};
  std::map<topic_partition, range> found;
  for (std::size_t i = 0; i < of.size(); ++i)
    if ((*first)[i] < (*behind)[i]) found[of[i]] = {(*first)[i], (*behind)[i]};
  return found;
}

std::unique_ptr<port::reader> inquiry::open_reader() {
  return cluster_->open_reader({.buffer = read_buffer}, [box = box_] { box->ring(); });
}

result<void> inquiry::read(const std::map<topic_partition, range>& what,
                           const std::function<bool(const topic_partition&, const fetched_record&)>& see) {
  struct partition {
    topic_partition where;
    std::int64_t until;
    bool is_read;
  };
  std::vector<partition> all;
  const auto reader = open_reader();
  for (const auto& [where, of] : what) {
    if (of.first >= of.second) continue;
    reader->assign(static_cast<source_id>(all.size()), where, of.first);
    all.push_back({where, of.second, false});
  }
  auto limit = clock::now() + longest_silence;
  while (!std::ranges::all_of(all, &partition::is_read)) {
    box_->open_all();
    fetched batch;
    if (!reader->poll(batch, 1000)) {
      if (clock::now() >= limit)
        return fail(failure_kind::timed_out, name_ + " has not answered for half a minute",
                    "see whether it can be reached, and try again");
      box_->wait_until(clock::now() + ask_again);
      continue;
    }
    limit = clock::now() + longest_silence;
    for (const auto& record : batch.records) {
      auto& of = all[record.source];
      if (record.offset >= of.until) of.is_read = true;
      if (!of.is_read && !see(of.where, record)) return {};
    }
    for (const auto& end : batch.ends)
      if (end.next >= all[end.source].until) all[end.source].is_read = true;
    for (const auto& each : batch.failures)
      if (!all[each.source].is_read) return tl::unexpected{each.why};
  }
  return {};
}

result<std::vector<engine::position>> inquiry::positions(const engine::names& whose,
                                                         const std::optional<std::vector<std::int32_t>>& lanes,
                                                         limit patience) {
  std::vector<engine::position> found;
  const auto lanes_topic = whose.lanes_topic();
  const auto described = topics({lanes_topic}, patience);
  if (!described) return tl::unexpected{described.error()};
  if (described->empty()) return found;
  std::vector<topic_partition> where;
  for (std::int32_t each = 0; each < described->front().partitions; ++each)
    if (!lanes || std::ranges::count(*lanes, each) > 0) where.push_back({lanes_topic, each});
  // What is still undecided is not waited for: the next time it is known.
  const auto from = ask<std::vector<port::group_offset>>(
      [&](auto done) {
        cluster_->group_offsets(whose.group(), where, port::isolation::read_uncommitted, range_limit, std::move(done));
      },
      patience);
  if (!from) return tl::unexpected{from.error()};
  const auto there = ranges(where, patience);
  if (!there) return tl::unexpected{there.error()};
  for (std::size_t i = 0; i < where.size(); ++i) {
    const auto range = there->find(where[i]);
    if (range == there->end()) continue;
    const auto [first, behind] = range->second;
    const auto read = ask<port::range_read>(
        [&, begin = engine::newest_position_from((*from)[i].offset, first, behind), until = behind](auto done) {
          cluster_->read_range(where[i], begin, until, port::isolation::read_committed, range_limit, std::move(done));
        },
        patience);
    if (!read) return tl::unexpected{read.error()};
    engine::position newest;
    for (const auto& record : read->records) {
      if (record.key != engine::position_key || !record.value) continue;
      auto at = engine::decode_position(*record.value);
      if (!at) return tl::unexpected{at.error()};
      if (at->sequence > newest.sequence) newest = std::move(*at);
    }
    if (newest.sequence > 0) found.push_back(std::move(newest));
  }
  return found;
}

result<std::map<topic_partition, std::int64_t>> inquiry::places(const engine::names& whose,
                                                                const std::vector<topic_partition>& of,
                                                                limit patience) {
  const auto described = topics({whose.lanes_topic()}, patience);
  if (!described) return tl::unexpected{described.error()};
  std::map<topic_partition, std::int64_t> found;
  if (described->empty()) return found;
  std::set<std::int32_t> lanes;
  for (const auto& each : of) lanes.insert(engine::spread().task_of(each, described->front().partitions));
  const auto known = positions(whose, std::vector(lanes.begin(), lanes.end()), patience);
  if (!known) return tl::unexpected{known.error()};
  for (const auto& position : *known)
    for (const auto& [source, place] : position.sources) found[source] = place.next;
  return found;
}

result<bool> inquiry::are_owned(const engine::names& whose) {
  const auto members =
      ask<std::vector<port::group_member>>([&](auto done) { cluster_->group_members(whose.group(), std::move(done)); });
  if (!members) return tl::unexpected{members.error()};
  return !members->empty();
}

result<std::int64_t> inquiry::write(const topic_partition& where, bytes key, const std::string& value) {
  const auto producer = cluster_->open_producer({});
  if (auto opened = ask<void>([&](auto done) { producer->init(std::move(done)); }); !opened)
    return tl::unexpected{opened.error()};
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  outgoing batch;
  batch.records.push_back({.topic = producer->topic(where.topic),
                           .partition = where.partition,
                           .timestamp = std::chrono::duration_cast<std::chrono::milliseconds>(now).count(),
                           .key = key,
                           .value = value,
                           .headers = {},
                           .wants_offset = true});
  producer->send(std::move(batch));
  const auto stored = ask<port::committed>([&](auto done) { producer->flush(std::move(done)); });
  if (!stored) return tl::unexpected{stored.error()};
  if (const auto offset = stored->offsets.at(0); offset >= 0) return offset;
  // Whoever has stored it may have said so only to a request that nobody waits for any more.
  const auto behind = offsets({where}, kind::high_watermark);
  if (!behind) return tl::unexpected{behind.error()};
  return behind->at(0) - 1;
}

inquiry& inquiries::at(const std::string& cluster) {
  auto& asked = asked_[cluster];
  if (!asked) asked = std::make_unique<inquiry>(options_, cluster, patience_, box_);
  return *asked;
}

}  // namespace flow
