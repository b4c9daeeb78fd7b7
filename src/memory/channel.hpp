#pragma once

#include <algorithm>
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include <flow/ports.hpp>

#include "node.hpp"
#include "waiting_room.hpp"

namespace flow::memory {

/// Whom a request goes to: the brokers that store records are others than those that coordinate.
enum class road { coordinator, records };

/// The way from one asker to a cluster and back: requests arrive in the order in which they left, after some time, on
/// each of its two roads.
/// While the cluster is cut off they wait on either side. Who drops its channel gets no answers any more, but what it
/// has sent may still arrive. Everything here happens with the node's mutex held.
class channel : public std::enable_shared_from_this<channel> {
 public:
  explicit channel(node& to) : to_{to} {}

  /// `work` is what the cluster does with the request, maybe several times until it knows the answer; it must not
  /// touch the asker. `answered` runs once, with `timed_out` after `limit` if there is one.
  template <typename T>
  void ask(std::optional<port::milliseconds> limit, std::function<outcome<T>()> work,
           std::function<void(result<T>)> answered, road by = road::coordinator) {
    const auto more = by == road::records ? to_.draw(to_.conditions().records) : microseconds{0};
    auto& arrives = request_arrives_[static_cast<std::size_t>(by)];
    arrives = std::max(arrives, to_.now() + to_.draw(to_.conditions().request) + more);
    send<T>(arrives, limit, std::move(work), std::move(answered));
  }

  /// The same, held up on the way by `delay`, and overtaken by what is asked meanwhile.
  template <typename T>
  void ask_late(microseconds delay, std::optional<port::milliseconds> limit, std::function<outcome<T>()> work,
                std::function<void(result<T>)> answered) {
    send<T>(to_.now() + delay, limit, std::move(work), std::move(answered));
  }

 private:
  template <typename T>
  struct request;

  template <typename T>
  void send(port::time_point arrives, std::optional<port::milliseconds> limit, std::function<outcome<T>()> work,
            std::function<void(result<T>)> answered);

  node& to_;
  std::array<port::time_point, 2> request_arrives_{};
  port::time_point answer_arrives_{};
};

template <typename T>
struct channel::request : std::enable_shared_from_this<request<T>> {
  node& to;
  std::weak_ptr<channel> from;
  std::optional<port::time_point> deadline;
  std::function<outcome<T>()> work;
  std::function<void(result<T>)> answered;
  bool watched = false;

  explicit request(node& cluster) : to{cluster} {}

  void arrive() {
    if (to.is_cut()) return wait_in(to.beyond_the_cut(), &request::arrive);
    auto out = work();
    if (const auto* wait = std::get_if<later>(&out)) return wait_in(*wait->where, &request::arrive);
    send_back(std::get<result<T>>(std::move(out)));
  }

  void wait_in(waiting_room& room, void (request::*then)()) {
    if (from.expired()) return;
    watch_deadline();
    room.wait([self = this->shared_from_this(), then] {
      if (self->answered && !self->from.expired()) (*self.*then)();
    });
  }

  void watch_deadline() {
    if (!deadline || std::exchange(watched, true)) return;
    to.at(*deadline, [self = this->shared_from_this()] {
      self->finish(fail(failure_kind::timed_out, self->to.name() + " has not answered"));
    });
  }

  void send_back(result<T> answer) {
    const auto asker = from.lock();
    if (!asker) return;
    back = std::move(answer);
    asker->answer_arrives_ = std::max(asker->answer_arrives_, to.now() + to.draw(to.conditions().answer));
    to.at(asker->answer_arrives_, [self = this->shared_from_this()] { self->come_back(); });
  }

  void come_back() {
    if (to.is_cut()) return wait_in(to.beyond_the_cut(), &request::come_back);
    finish(std::move(*back));
  }

  void finish(result<T> answer) {
    if (!answered || from.expired()) return;
    std::exchange(answered, nullptr)(std::move(answer));
  }

  std::optional<result<T>> back;
};

template <typename T>
void channel::send(port::time_point arrives, std::optional<port::milliseconds> limit, std::function<outcome<T>()> work,
                   std::function<void(result<T>)> answered) {
  auto sent = std::make_shared<request<T>>(to_);
  sent->from = weak_from_this();
  if (limit) sent->deadline = to_.now() + *limit;
  sent->work = std::move(work);
  sent->answered = std::move(answered);
  to_.at(arrives, [sent] { sent->arrive(); });
}

}  // namespace flow::memory
