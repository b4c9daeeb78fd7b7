#include "purging.hpp"

#include <algorithm>

#include "complaint.hpp"
#include "routes.hpp"

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
    else if (!heals(purged.error().kind))
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
  const provenance own{with_.options.application, with_.reading.cluster_id(), with_.options.lanes,
                       std::string{with_.reading.how().id}};
  std::map<topic_partition, std::int64_t> below;
  for (const auto& [number, read] : sources()) {
    const std::vector<std::int32_t> lane{number};
    for (const auto& [lanes, sinks] : with_.all) {
      const auto reads = [&, sinks = sinks](const auto* each) {
        return lead_to(with_.topology.sinks(), sinks, each->entries);
      };
      if (std::none_of(read.begin(), read.end(), reads)) continue;
      auto by = co_await committed_positions(with_.loop, lanes, lane, own);
      if (!by && by.error().kind == failure_kind::missing) co_return result<void>{};  // it has not begun
      if (!by) co_return tl::unexpected{by.error()};
      for (const auto* each : read) {
        if (!reads(each)) continue;
        const auto needed = by->front() ? needed_from(*each, *by->front()) : 0;
        auto& least = below.try_emplace(each->where, needed).first->second;
        least = std::min(least, needed);
      }
    }
  }
  std::erase_if(below, [](const auto& each) { return each.second == 0; });
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
    if (still &&
        std::none_of(with_.all.begin(), with_.all.end(), [&](const auto& each) { return each.lanes.cluster == name; }))
      co_return fail(
          failure_kind::refused,
          "what goes through " + with_.options.application + "'s own topics is not deleted: " + name +
              " reads it too, and is not among the targets of this process",
          "name all targets in every process; one that is gone for good is taken out by a null value under " +
              std::string{"its name in "} + own.readers_topic());
  co_return result<void>{};
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
