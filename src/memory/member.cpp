#include "member.hpp"

#include <algorithm>
#include <utility>

namespace flow::memory {

using event_kind = port::group_event::kind;

memory_member::memory_member(access by, port::member_options options, port::wake readable)
    : asker{std::move(by)}, options_{std::move(options)}, readable_{std::move(readable)} {
  const std::scoped_lock lock{home().mutex};
  polled_ = home().now();
  join();
}

memory_member::~memory_member() {
  hang_up();
}

std::optional<port::group_event> memory_member::poll() {
  const std::scoped_lock lock{home().mutex};
  polled_ = home().now();
  if (events_.empty()) return std::nullopt;
  auto event = std::move(events_.front());
  events_.pop_front();
  return event;
}

void memory_member::release() {
  const std::scoped_lock lock{home().mutex};
  if (at_ != stage::giving_back) return;
  if (leaving_) return leave_now();
  join();
}

void memory_member::leave(port::reply<void> done) {
  const std::scoped_lock lock{home().mutex};
  leaving_ = std::move(done);
  if (at_ == stage::holding) return give_back(event_kind::revoked);
  if (at_ != stage::giving_back) leave_now();
}

void memory_member::join() {
  at_ = stage::joining;
  ++heartbeats_;
  *entered_as_ = place_.as.member_id;
  const join_request request{options_.topic, *entered_as_,     options_.instance_id,
                             by_.client_id,  options_.session, options_.max_poll_interval};
  const auto work = [&cluster = home(), group = options_.group, request, as = entered_as_,
                     entered = false]() mutable -> outcome<place> {
    memory::group& joined = cluster.group_named(group);
    if (!entered) {
      auto id = joined.enter(request);
      if (!id) return result<place>{tl::unexpected{std::move(id.error())}};
      entered = true;
      *as = std::move(*id);
    }
    return joined.seat(*as, request.instance_id);
  };
  channel_->ask<place>(std::nullopt, work, [this](result<place> at) { joined(std::move(at)); });
}

void memory_member::joined(result<place> at) {
  if (at_ != stage::joining || leaving_) return;
  if (!at) {
    if (at.error().kind == failure_kind::fenced_member) return fail_for_good(std::move(at.error()));
    forget_member_id();
    return join();
  }
  place_ = std::move(*at);
  at_ = stage::holding;
  heard_ = home().now();
  if (!home().topics().contains(options_.topic) && !std::exchange(told_missing_, true))
    push({event_kind::failed, {}, {}, {failure_kind::missing, "no topic " + options_.topic, "create it"}});
  push({event_kind::assigned, place_.partitions, place_.as, {}});
  beat();
}

port::milliseconds memory_member::heartbeat_interval() {
  return std::min(home().conditions().heartbeat, options_.session / 3);
}

void memory_member::beat() {
  const auto interval = heartbeat_interval();
  after(interval, [this, interval, series = heartbeats_] {
    if (series != heartbeats_) return;
    if (by_.is_frozen && by_.is_frozen()) return beat();
    if (home().now() - polled_ > options_.max_poll_interval) {
      // Without an id the member is silent. A static one is not taken out of the group by that: its session has to end.
      if (options_.instance_id.empty())
        channel_->ask<void>(
            std::nullopt,
            [&cluster = home(), as = place_.as]() -> outcome<void> {
              cluster.group_named(as.group).leave(as.member_id);
              return result<void>{};
            },
            [](const result<void>&) {});
      return lose();
    }
    channel_->ask<bool>(
        interval,
        [&cluster = home(), as = place_.as]() -> outcome<bool> { return cluster.group_named(as.group).heartbeat(as); },
        [this, series](const result<bool>& rebalancing) {
          if (series == heartbeats_) heard(rebalancing);
        });
  });
}

void memory_member::heard(const result<bool>& rebalancing) {
  if (rebalancing) {
    heard_ = home().now();
    if (*rebalancing && at_ == stage::holding) give_back(event_kind::revoked);
    return beat();
  }
  switch (rebalancing.error().kind) {
    case failure_kind::fenced_member:
      return fail_for_good(rebalancing.error());
    case failure_kind::lost_member:
      return lose();
    default:
      if (home().now() - heard_ > options_.session) return lose();
      return beat();
  }
}

void memory_member::give_back(event_kind how) {
  at_ = stage::giving_back;
  push({how, place_.partitions, place_.as, {}});
}

void memory_member::lose() {
  ++heartbeats_;
  if (at_ == stage::holding) {
    give_back(event_kind::lost);
  } else {
    // Whoever has not heard of the revocation yet hears the truth.
    for (port::group_event& each : events_)
      if (each.what == event_kind::revoked) each.what = event_kind::lost;
  }
  forget_member_id();
}

void memory_member::fail_for_good(failure why) {
  ++heartbeats_;
  at_ = stage::gone;
  push({event_kind::failed, {}, place_.as, std::move(why)});
}

void memory_member::leave_now() {
  const std::string id = at_ == stage::joining ? std::string{} : place_.as.member_id;
  const bool was_there = at_ != stage::gone;
  at_ = stage::gone;
  ++heartbeats_;
  const auto work = [&cluster = home(), group = options_.group, id, as = entered_as_, was_there]() -> outcome<void> {
    if (was_there) cluster.group_named(group).leave(id.empty() ? *as : id);
    return result<void>{};
  };
  channel_->ask<void>(home().conditions().request_limit, work,
                      [this](result<void> left) { answer(std::move(*leaving_), std::move(left)); });
}

void memory_member::push(port::group_event event) {
  events_.push_back(std::move(event));
  readable_();
}

void memory_member::forget_member_id() {
  place_.as.member_id.clear();
}

}  // namespace flow::memory
