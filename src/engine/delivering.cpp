#include <flow/dead_letter.hpp>

#include "writing.hpp"

/// What the lanes of an ordered sink have beside the others: a courier, whose progress the position follows. A
/// transaction holds the position, and the letters of what it passes.
namespace flow::engine {
namespace {

using namespace std::chrono_literals;

// Who gives lanes back has so much left, after the last delivery, for committing how far it came.
constexpr auto time_to_commit = 1s;
// What is being delivered at a stop is waited for; a destination that takes longer gets it again.
constexpr auto stop_limit = 10s;
// Of a course that its courier has off the reading: until it says otherwise.
constexpr auto relieved_later = time_point::max();

void put(course& who, const place& at) {
  who.next = at.next;
  who.last = at.last;
  who.now = at.now;
  who.look_back_to = at.look_back_to;
}

}  // namespace

std::unique_ptr<courier> writing::open_courier() {
  return std::make_unique<courier>(
      courier::surroundings{.loop = at_.loop,
                            .topology = at_.topology,
                            .number = *at_.outside,
                            .application = at_.options.application,
                            .room = at_.options.share.transaction,
                            .wall_clock = at_.wall_clock,
                            .reached = [this](std::string_view step) { return at_.probe.reached(step, at_.name); },
                            .log = at_.log,
                            .name = at_.name,
                            .counted = counted_,
                            .by = *this},
      at_.take_destination());
}

void writing::follow_courier() {
  courier_->advance([this](const auto& from, auto offset, const auto& out) { return post(from, offset, out); });
  for (auto* each : lanes_)
    for (const auto& course : each->courses) {
      const bool crowded = courier_->crowded(*course->from);
      if (crowded && course->on) {
        at_.reading.leave(*course);
        course->held_until = relieved_later;
      } else if (!crowded && course->held_until == relieved_later) {
        course->held_until = {};
      }
    }
  courier_->relieved();
}

// All of a record or none of it: the position passes it with this transaction.
bool writing::post(const source& from, std::int64_t offset, const std::vector<kept_emission>& emissions) {
  if (outbox_full()) return false;
  std::vector<const route*> where;
  for (const auto& each : emissions) {
    where.push_back(outputs_.routes().find(each.what.sink, from, each.what));
    if (!where.back()) {
      resolve(each.what.sink, each.what.topic.str());
      return false;
    }
    if (const auto why = refusal_of(*where.back(), each.what, at_.wall_clock()); !why.empty()) {
      const auto& sink = at_.topology.sinks()[each.what.sink];
      for (auto* lane : lanes_)
        for (const auto& course : lane->courses)
          if (course->from == &from) course->refused_by = *where.back();
      courier_->stop(from, offset, (sink.takes_letters ? "its dead letter: " : "its answer: ") + why);
      return false;
    }
  }
  for (std::size_t i = 0; i < emissions.size(); ++i) {
    const auto& [what, bytes] = emissions[i];
    const auto by = std::make_shared<held>();
    by->buffers = bytes;
    by->size = size_of(what.key, what.value, what.headers);
    outbox_.append(*where[i], what, {&from, offset}, by);
  }
  return true;
}

std::string writing::unwritable(const source& from, const emission& answer) const {
  const auto* to = outputs_.routes().find(answer.sink, from, answer);
  return to ? refusal_of(*to, answer, at_.wall_clock()) : std::string{};
}

void writing::stopped(const source& from, const place& at, const std::string& reason) {
  for (auto* each : lanes_)
    for (const auto& course : each->courses) {
      if (course->from != &from) continue;
      at_.reading.leave(*course);
      put(*course, at);
      halt(*course, reason);
    }
}

task<void> writing::finish_deliveries() {
  courier_->pause();
  const auto longest = at_.loop.now() + stop_limit;
  // A rebalance may come upon a stop, and have less time.
  const auto until = [&] { return finish_limit_ < longest ? finish_limit_ - time_to_commit : longest; };
  while (serving_ && courier_->under_way() > 0 && at_.loop.now() < until()) co_await turned_.wait_until(until());
  follow_courier();
  // What is done from here on is part of no transaction of these lanes, and must not become part of others'.
  concluded_ = true;
}

// What was read and not delivered is read again by whoever goes on.
void writing::turn_back() {
  for (auto* each : lanes_)
    for (const auto& course : each->courses) {
      const auto place = place_of(*course);
      if (place.next != course->next) course->forget_why_it_stopped();
      put(*course, place);
      if (course->held_until == relieved_later) course->held_until = {};
    }
  courier_->abandon();
}

}  // namespace flow::engine
