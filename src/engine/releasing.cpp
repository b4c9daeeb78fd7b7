#include <algorithm>

#include "writing.hpp"

/// Releasing what is parked: a lane that is told to reads the letters of its source partitions, from those that no
/// release has settled to the end that it finds, and takes each through the operators again as the record that it was.
/// Its position says which keys are on their way, and up to which letter they are through, so whoever owns the lane
/// goes on there. Meanwhile the source partition waits.
namespace flow::engine {
namespace {

using kind = port::offset_query::kind;

}  // namespace

// It leaves its feed with all that it has parked, and waits until that is committed, the letters before all.
void writing::follow_commands() {
  const auto& told = by_.commands();
  for (auto* each : taken_lanes())
    for (const auto& course : each->courses) {
      if (course->letters || course->recalled || course->next < 0) continue;
      auto& obeyed = course->parked.commands;
      if (told.end() >= 0 && obeyed > told.end()) obeyed = told.end();
      const auto behind = told.behind(course->from->where.topic);
      if (behind <= obeyed || !may_park(*course)) continue;
      if (parked_of(*course, at_.topology).keys.empty()) {
        obeyed = behind;
        course->dirty = true;
      } else {
        at_.reading.leave(*course);
        course->recalled = true;
      }
    }
}

// Keys that are parked at a node that does not park would be forgotten.
bool writing::may_park(course& who) {
  const auto parked = parked_of(who, at_.topology);
  for (const auto* keys : {&parked.keys, &parked.released})
    for (const auto& [node, some] : keys->all()) {
      const auto parks = [&](const auto& each) { return each.node == node && (at_.sinks >> each.letters & 1) != 0; };
      if (std::ranges::any_of(at_.topology.parking(), parks)) continue;
      if (who.halted.empty())
        halt(who, std::to_string(some.size()) + " keys are parked at '" + node +
                      "', which does not park (any more) (give " +
                      "it back its name and its policy, and release them first)");
      return false;
    }
  return true;
}

course* writing::ready_to_release() const {
  if (at_.loop.now() < release_again_) return nullptr;
  for (auto* each : taken_lanes())
    for (const auto& course : each->courses)
      if (course->recalled && !moved(*course)) return course.get();
  return nullptr;
}

time_point writing::next_release() const {
  auto next = time_point::max();
  for (const auto* each : lanes_)
    for (const auto& course : each->courses) {
      if (course->recalled && release_again_ > at_.loop.now()) next = std::min(next, release_again_);
      if (course->letters && course->letters->at.held_until > at_.loop.now())
        next = std::min(next, course->letters->at.held_until);
    }
  return next;
}

// The high watermark, not the last stable offset: the markers of the letters just committed may be late.
task<void> writing::begin_release(course& who) {
  using offsets = std::vector<std::int64_t>;
  // What was refused may be taken by now, so what the topics take is asked for anew.
  auto looked = co_await outputs_.prepare_routes();
  const std::vector<topic_partition> where{who.parked.letters};
  auto first = co_await answer<offsets>(
      at_.loop, [&](auto done) { at_.cluster.find_offsets(where, {kind::earliest}, std::move(done)); });
  auto behind = co_await answer<offsets>(
      at_.loop, [&](auto done) { at_.cluster.find_offsets(where, {kind::high_watermark}, std::move(done)); });
  if (!looked || !first || !behind) {
    release_trouble_.raise(!looked ? looked.error() : first ? behind.error() : first.error());
    release_again_ = at_.loop.now() + releasing_();
    co_return;
  }
  releasing_.reset();
  release_trouble_.settle();
  auto& parked = who.parked;
  const bool is_fresh = parked.released.empty();
  // Each key has a letter at least.
  const auto least = is_fresh ? parked.settled + static_cast<std::int64_t>(parked.keys.count()) : parked.until;
  if (behind->front() < least) {
    who.recalled = false;
    halt(who, to_string(parked.letters) + " ends at " + std::to_string(behind->front()) + ", and letters of " +
                  std::to_string(parked.count()) +
                  " parked keys lay behind that (the topic was deleted and made anew)");
    co_return;
  }
  if (first->front() > parked.settled)
    at_.log(severity::warn, at_.name + ": letters before offset " + std::to_string(first->front()) + " of " +
                                to_string(parked.letters) + " are gone, and are not released");
  parked.settled = std::max(parked.settled, first->front());
  // What begins is in the position together with the command that it obeys.
  if (is_fresh) {
    parked.commands = by_.commands().behind(who.from->where.topic);
    parked.released = std::exchange(parked.keys, {});
    parked.until = behind->front();
    at_.log(severity::info, at_.name + ": releases " + std::to_string(parked.released.count()) + " keys of " +
                                to_string(who.from->where));
  }
  open_release(who);
}

void writing::open_release(course& who) {
  auto& letters = at_.reading.letters_of(*who.from, who.parked.letters, at_.name);
  letters.until = who.parked.until;
  who.letters = std::make_shared<release>(release{who.parked.released, {}});
  auto& way = who.letters->at;
  way.from = &letters;
  way.of = who.of;
  way.next = way.begin = who.parked.settled;
  way.parked = who.parked;
  way.is_of = who.letters.get();
  way.dirty = true;
  who.recalled = false;
}

void writing::go_on_releasing() {
  for (auto* each : taken_lanes())
    for (const auto& course : each->courses) {
      if (!course->letters) continue;
      auto& way = course->letters->at;
      if (next_of(way) >= way.from->until) {
        end_release(*course);
      } else if (!way.halted.empty()) {
        course->halted = "its release: " + way.halted;
        break_off_release(*course);
        course->recalled = false;
      } else if (way.interrupted) {
        break_off_release(*course);
        release_again_ = at_.loop.now() + releasing_();
      } else if (!way.on && at_.loop.now() >= way.held_until && !is_taken_along(way.from->where)) {
        at_.reading.board_letters(way, at_.cluster);
      }
    }
}

// Several source partitions may have their letters in one partition, which is read by one after the other.
bool writing::is_taken_along(const topic_partition& letters) const {
  for (const auto* each : lanes_)
    for (const auto& course : each->courses)
      if (course->letters && course->letters->at.on && course->letters->at.from->where == letters) return true;
  return false;
}

void writing::break_off_release(course& who) {
  at_.reading.leave(who);
  const bool dirty = who.letters->at.dirty;
  who.parked = parked_of(who, at_.topology);
  who.letters.reset();
  who.dirty = who.dirty || dirty;
  who.recalled = true;
}

// Whatever had stopped the source partition gets another chance.
void writing::end_release(course& who) {
  break_off_release(who);
  who.recalled = false;
  who.dirty = true;
  who.parked.released = {};
  who.parked.until = 0;
  who.forget_why_it_stopped();
  at_.log(severity::info, at_.name + ": has released " + to_string(who.from->where) + "; " +
                              std::to_string(who.parked.keys.count()) + " keys are parked again");
}

}  // namespace flow::engine
