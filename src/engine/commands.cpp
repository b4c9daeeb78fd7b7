#include "commands.hpp"

#include <algorithm>

#include "complaint.hpp"

namespace flow::engine {
namespace {

using namespace std::chrono_literals;

// How soon a person sees that something happens.
constexpr auto look_every = 1s;
// Over a distance, and with a long history.
constexpr auto patience = 10s;
const std::string of_all;

}  // namespace

task<void> commands::follow() {
  complaint trouble{at_.loop, at_.log, at_.name};
  backoff pause{look_every};
  for (;;) {
    if (auto looked = co_await look()) {
      trouble.settle();
      pause.reset();
    } else {
      // That it is away is said by those who write to it.
      if (!heals(looked.error().kind)) trouble.raise(looked.error());
    }
    co_await at_.loop.sleep(pause());
  }
}

task<result<void>> commands::look() {
  using kind = port::offset_query::kind;
  const topic_partition where{at_.names.commands_topic(), 0};
  const std::vector<topic_partition> wanted{where};
  auto behind = co_await answer<std::vector<std::int64_t>>(
      at_.loop, [&](auto done) { at_.cluster.find_offsets(wanted, {kind::high_watermark}, std::move(done)); });
  if (!behind) co_return tl::unexpected{behind.error()};
  if (behind->front() < next_) next_ = 0, newest_.clear();  // the topic was made anew
  end_ = behind->front();
  if (end_ == next_) co_return result<void>{};
  auto first = co_await answer<std::vector<std::int64_t>>(
      at_.loop, [&](auto done) { at_.cluster.find_offsets(wanted, {kind::earliest}, std::move(done)); });
  if (!first) co_return tl::unexpected{first.error()};
  auto found = co_await answer<port::range_read>(at_.loop, [&](auto done) {
    at_.cluster.read_range(where, std::max(next_, first->front()), end_, port::isolation::read_committed, patience,
                           std::move(done));
  });
  if (!found) co_return tl::unexpected{found.error()};
  for (const auto& each : found->records) {
    if (!each.value) continue;
    if (const auto told = decode_command(*each.value))
      newest_[told->topic] = each.offset + 1;
    else
      at_.log(severity::warn, at_.name + ": a command is passed over: " + to_string(told.error()));
  }
  next_ = end_;
  co_return result<void>{};
}

std::int64_t commands::behind(const std::string& topic) const {
  std::int64_t newest = 0;
  for (const auto* each : {&topic, &of_all})
    if (const auto known = newest_.find(*each); known != newest_.end()) newest = std::max(newest, known->second);
  return newest;
}

}  // namespace flow::engine
