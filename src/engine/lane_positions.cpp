#include "lane_positions.hpp"

#include <algorithm>

namespace flow::engine {
namespace {

using namespace std::chrono_literals;
using kind = port::offset_query::kind;
using port::isolation;

// Nobody waits for it who holds something up meanwhile.
constexpr auto patience = 10s;

}  // namespace

result<position> own_position(const port::kept_record& record, const topic_partition& where, const std::string& cluster,
                              const provenance& own) {
  auto found = decode_position(*record.value);
  if (found && found->of != own)
    return fail(failure_kind::refused,
                to_string(where) + " on " + cluster + " belongs to application " + found->of.application +
                    " reading cluster " + found->of.source_cluster + " with " + std::to_string(found->of.tasks) +
                    " lanes spread by " + found->of.mapping,
                "this is application " + own.application + " reading cluster " + own.source_cluster + " with " +
                    std::to_string(own.tasks) + " lanes spread by " + own.mapping +
                    "; correct the configuration, or give this application a name of its own");
  return found;
}

std::int64_t newest_position_from(std::int64_t of_group, std::int64_t first, std::int64_t behind) {
  return of_group < behind ? std::max(of_group, first) : first;
}

task<result<std::vector<std::optional<position>>>> committed_positions(loop& on, lanes_elsewhere of,
                                                                       std::vector<std::int32_t> lanes,
                                                                       provenance own) {
  using offsets = std::vector<std::int64_t>;
  std::vector<topic_partition> where;
  for (const auto lane : lanes) where.push_back({of.names.lanes_topic(), lane});
  auto from = co_await answer<std::vector<port::group_offset>>(on, [&](auto done) {
    of.at.group_offsets(of.names.group(), where, isolation::read_uncommitted, patience, std::move(done));
  });
  if (!from) co_return tl::unexpected{from.error()};
  auto first =
      co_await answer<offsets>(on, [&](auto done) { of.at.find_offsets(where, {kind::earliest}, std::move(done)); });
  if (!first) co_return tl::unexpected{first.error()};
  auto behind =
      co_await answer<offsets>(on, [&](auto done) { of.at.find_offsets(where, {kind::last_stable}, std::move(done)); });
  if (!behind) co_return tl::unexpected{behind.error()};
  auto ranges = co_await gather<port::range_read>(on, where.size(), [&](std::size_t i, auto done) {
    const auto begin = newest_position_from((*from)[i].offset, (*first)[i], (*behind)[i]);
    of.at.read_range(where[i], begin, (*behind)[i], isolation::read_committed, patience, std::move(done));
  });
  std::vector<std::optional<position>> newest(lanes.size());
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    if (!ranges[i]) co_return tl::unexpected{ranges[i].error()};
    for (const auto& record : ranges[i]->records) {
      if (record.key != position_key || !record.value) continue;
      auto found = own_position(record, where[i], of.cluster, own);
      if (!found) co_return tl::unexpected{found.error()};
      if (!newest[i] || found->sequence > newest[i]->sequence) newest[i] = std::move(*found);
    }
  }
  co_return newest;
}

}  // namespace flow::engine
