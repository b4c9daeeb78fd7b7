#include "releasing.hpp"

#include <algorithm>

#include "wait_for.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;

// So long nothing may move before it is not waited for any more.
constexpr auto longest_standstill = 2min;

}  // namespace

result<void> releasing::run(std::stop_token stop, letters_replayed& into) {
  const auto before = count_keys();
  if (!before) return tl::unexpected{before.error()};
  if (*before == 0) return {};
  const auto told =
      by_.at(cluster_).write({by_.own_names().commands_topic(), 0}, "release", engine::encode(engine::command{}));
  if (!told) return tl::unexpected{told.error()};
  result<bool> done = false;
  const bool waited = wait_for(stop, [&] { return !(done = have_obeyed(*told)) || *done; });
  if (!done) return tl::unexpected{done.error()};
  if (!waited)
    return fail(failure_kind::retriable, "what is parked on " + cluster_ + " is not released yet",
                "it will be, as soon as its lanes are at work");
  const auto after = count_keys();
  if (!after) return tl::unexpected{after.error()};
  into.released += *before - std::min(*before, *after);
  into.parked += *after;
  return {};
}

result<std::uint64_t> releasing::count_keys() {
  const auto known = by_.parked_on(cluster_);
  if (!known) return tl::unexpected{known.error()};
  std::uint64_t count = 0;
  for (const auto& [source, each] : *known) count += each.count();
  return count;
}

result<bool> releasing::have_obeyed(std::int64_t command) {
  const auto known = by_.parked_on(cluster_);
  if (!known) return tl::unexpected{known.error()};
  const bool all = std::ranges::all_of(*known, [&](const auto& each) {
    return each.second.released.empty() && (each.second.commands > command || each.second.keys.empty());
  });
  if (all) return true;
  if (is_stuck(*known))
    return fail(failure_kind::retriable, "nothing of what is parked on " + cluster_ + " is released for two minutes",
                "look at why the application stands still there; it goes on with it by itself");
  const auto owned = by_.at(cluster_).are_owned(by_.own_names());
  if (!owned) return tl::unexpected{owned.error()};
  if (!*owned)
    return fail(failure_kind::retriable, "nobody works on the lanes on " + cluster_ + " that have parked keys",
                "start the application: they are released then");
  return false;
}

// A lane may be owned by somebody who stands still.
bool releasing::is_stuck(const parked& now) {
  const auto moment = std::chrono::steady_clock::now();
  if (now != last_seen_) last_seen_ = now, moved_ = moment;
  return moment - moved_ > longest_standstill;
}

}  // namespace flow
