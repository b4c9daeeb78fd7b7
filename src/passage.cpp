#include "passage.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace flow {
namespace {

// So often a record is tried that fails, whatever its policy says.
constexpr int most_tries = 100;
// Long enough for any policy to be through with its tries.
constexpr std::chrono::milliseconds long_ago = std::chrono::hours{24 * 365};

}  // namespace

passage_of_source::passage_of_source(const plan& what, const source_at_home& from, std::uint64_t sinks)
    : what_{what}, from_{from}, sinks_{sinks}, graph_{what.open()} {}

tl::expected<std::span<const emission>, std::string> passage_of_source::push(const fetched_record& record) {
  emissions_.clear();
  written_ = arena{};
  for (const auto& entry : from_.entries) {
    attempts before;
    for (int tries = 1;; ++tries) {
      const auto blamed = graph_->push(entry, record,
                                       {.active = sinks_,
                                        .written = written_,
                                        .out = emissions_,
                                        .wall_clock = record.timestamp,
                                        .before = &before});
      if (!blamed) break;
      if (!blamed->again || tries == most_tries) return tl::unexpected{blamed->node + ": " + blamed->reason};
      before.add(*blamed, record.timestamp - long_ago.count());
    }
  }
  if (!std::exchange(has_begun_, true)) first_time_ = record.timestamp;
  latest_ = std::max(latest_, record.timestamp);
  return std::span<const emission>{emissions_};
}

bool passage_of_source::is_uncertain() const {
  if (what_.dedups().empty()) return false;
  const auto longest = std::ranges::max(what_.dedups(), {}, &dedup_spec::window).window.count();
  return latest_ - first_time_ <= longest;
}

}  // namespace flow
