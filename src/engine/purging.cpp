#include "purging.hpp"

#include <algorithm>
#include <limits>

#include "complaint.hpp"

namespace flow::engine {
namespace {

using namespace std::chrono_literals;
using kind = port::offset_query::kind;
using port::isolation;

constexpr auto patience = 10s;

}  // namespace

task<void> purging::run() {
  complaint trouble{with_.loop, with_.log, with_.options.home};
  for (;;) {
    co_await with_.loop.sleep(with_.options.purge_every);
    if (!with_.in_charge()) continue;
    if (const auto purged = co_await purge())
      trouble.settle();
    else if (purged.error().kind != failure_kind::retriable && purged.error().kind != failure_kind::timed_out)
      trouble.raise(purged.error());
  }
}

/// By their lanes.
std::map<std::int32_t, std::vector<const source*>> purging::sources() const {
  std::map<std::int32_t, std::vector<const source*>> found;
  for (const auto& each : with_.reading.sources())
    if (!with_.topology.sources()[each->entries.front().source].through.empty())
      found[each->task].push_back(each.get());
  return found;
}

task<result<void>> purging::purge() {
  std::map<topic_partition, std::int64_t> below;
  for (const auto& [lane, read] : sources()) {
    std::vector<std::optional<position>> positions;
    for (const auto& readers : with_.all) {
      auto by = co_await newest(readers, lane);
      if (!by) co_return tl::unexpected{by.error()};
      positions.push_back(std::move(*by));
    }
    for (const auto* each : read) {
      auto least = std::numeric_limits<std::int64_t>::max();
      for (const auto& by : positions) least = std::min(least, by ? needed_from(*each, *by) : 0);
      if (least > 0) below.emplace(each->where, least);
    }
  }
  if (below.empty()) co_return result<void>{};
  if (auto known = co_await know_all_readers(); !known) co_return known;
  co_return co_await answer<void>(with_.loop, [&](auto done) { with_.reading.home().delete_records(below, done); });
}

task<result<void>> purging::know_all_readers() {
  const names own{with_.options.application, with_.options.home};
  const std::vector<topic_partition> where{{own.readers_topic(), 0}};
  auto& home = with_.reading.home();
  auto first = co_await answer<std::vector<std::int64_t>>(
      with_.loop, [&](auto done) { home.find_offsets(where, {kind::earliest}, std::move(done)); });
  if (!first) co_return tl::unexpected{first.error()};
  auto behind = co_await answer<std::vector<std::int64_t>>(
      with_.loop, [&](auto done) { home.find_offsets(where, {kind::high_watermark}, std::move(done)); });
  if (!behind) co_return tl::unexpected{behind.error()};
  auto read = co_await answer<port::range_read>(with_.loop, [&](auto done) {
    home.read_range(where.front(), first->front(), behind->front(), isolation::read_committed, patience,
                    std::move(done));
  });
  if (!read) co_return tl::unexpected{read.error()};
  std::map<std::string, bool> reads;
  for (const auto& each : read->records)
    if (each.key) reads[*each.key] = each.value.has_value();
  for (const auto& [name, still] : reads)
    if (still && std::none_of(with_.all.begin(), with_.all.end(), [&](const auto& each) { return each.name == name; }))
      co_return fail(
          failure_kind::refused,
          "what goes through " + with_.options.application + "'s own topics is not deleted: " + name +
              " reads it too, and is not among the targets of this process",
          "name all targets in every process; one that is gone for good is taken out by a null value under " +
              std::string{"its name in "} + own.readers_topic());
  co_return result<void>{};
}

/// The position that a lane has committed, or an older one, which will do as well.
task<result<std::optional<position>>> purging::newest(readers of, std::int32_t lane) {
  const std::vector<topic_partition> where{{of.names.lanes_topic(), lane}};
  auto offsets = co_await answer<std::vector<port::group_offset>>(with_.loop, [&](auto done) {
    of.cluster.group_offsets(of.names.group(), where, isolation::read_uncommitted, patience, std::move(done));
  });
  if (!offsets && offsets.error().kind == failure_kind::missing) co_return std::optional<position>{};
  if (!offsets) co_return tl::unexpected{offsets.error()};
  auto first = co_await answer<std::vector<std::int64_t>>(
      with_.loop, [&](auto done) { of.cluster.find_offsets(where, {kind::earliest}, std::move(done)); });
  if (!first && first.error().kind == failure_kind::missing) co_return std::optional<position>{};
  if (!first) co_return tl::unexpected{first.error()};
  auto behind = co_await answer<std::vector<std::int64_t>>(
      with_.loop, [&](auto done) { of.cluster.find_offsets(where, {kind::last_stable}, std::move(done)); });
  if (!behind) co_return tl::unexpected{behind.error()};
  const auto from = std::max(offsets->front().offset, first->front());
  if (from >= behind->front()) co_return std::optional<position>{};
  auto range = co_await answer<port::range_read>(with_.loop, [&](auto done) {
    of.cluster.read_range(where.front(), from, behind->front(), isolation::read_committed, patience, std::move(done));
  });
  if (!range) co_return tl::unexpected{range.error()};
  std::optional<position> newest;
  for (const auto& record : range->records) {
    if (record.key != position_key || !record.value) continue;
    auto found = decode_position(*record.value);
    if (!found) co_return tl::unexpected{found.error()};
    if (found->of.source_cluster != with_.reading.cluster_id()) continue;
    if (!newest || found->sequence > newest->sequence) newest = std::move(*found);
  }
  co_return newest;
}

std::int64_t purging::needed_from(const source& what, const position& by) const {
  const auto known = by.sources.find(what.where);
  if (known == by.sources.end()) return 0;
  const auto& dedups = with_.topology.dedups();
  const bool looks_back = std::any_of(dedups.begin(), dedups.end(), [&](const auto& each) {
    return std::find(each.sources.begin(), each.sources.end(), what.entries.front().source) != each.sources.end();
  });
  return looks_back ? std::min(known->second.next, known->second.look_back_to) : known->second.next;
}

}  // namespace flow::engine
