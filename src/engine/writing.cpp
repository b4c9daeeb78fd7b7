#include "writing.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace flow::engine {
namespace {

using namespace std::chrono_literals;

// What has gone well for this long is not what failed before any more.
constexpr auto calm = 60s;
// What a topic does not take may be taken once somebody has changed it.
constexpr auto look_whether_it_is_taken = 10s;
constexpr auto unlimited = std::numeric_limits<std::size_t>::max();

}  // namespace

writing::writing(const site& at, engine::outputs& outputs, owner& by, target_status& counted,
                 std::string transactional_id)
    : at_{at},
      outputs_{outputs},
      by_{by},
      counted_{counted},
      turned_{at_.loop},
      trouble_{at_.loop, at_.log, at_.name},
      release_trouble_{at_.loop, at_.log, at_.name},
      limit_{std::min(at_.options.share.transaction, first_transaction), unlimited} {
  name_producer(std::move(transactional_id));
  if (at_.outside) courier_ = open_courier();
  sources_seen_ = at_.reading.version();
}

void writing::own(std::vector<lane*> lanes) {
  lanes_ = std::move(lanes);
  for (auto* each : lanes_) each->to = this;
}

void writing::start() {
  finishing_ = retired_ = concluded_ = false;
  clean_commits_ = 0;
  if (courier_) courier_->resume();
  session_ = serve();
  session_.start();
}

void writing::add(const std::vector<lane*>& lanes) {
  for (auto* each : lanes) {
    each->to = this;
    lanes_.push_back(each);
  }
  turned_.notify();
}

void writing::give_up(const std::vector<lane*>& lanes) {
  for (auto* each : lanes) {
    each->taken = false;
    for (const auto& course : each->courses) {
      suspects_.erase(course->from);
      std::erase_if(refused_, [&](const auto& known) { return known.what.from == course->from; });
    }
  }
  std::erase_if(lanes_, [&](auto* each) { return std::find(lanes.begin(), lanes.end(), each) != lanes.end(); });
}

void writing::finish(time_point limit) {
  finish_limit_ = finishing_ ? std::min(finish_limit_, limit) : limit;
  finishing_ = true;
  turned_.notify();
}

void writing::turn() {
  if (courier_ && !concluded_) follow_courier();
  if (at_.reading.memories().used()) need_memories();
  turned_.notify();
}

// Who waits off the feeds goes on from there, and must not have to read its whole window again for that.
void writing::need_memories() {
  for (const auto* each : taken_lanes())
    for (const auto& course : each->courses)
      if (!course->on && course->halted.empty() && course->next >= 0)
        at_.reading.memories().need(*course->from, course->now);
}

void writing::append(const route& to, const emission& what, const course& at, const fetched_record& record,
                     const std::shared_ptr<held>& by) {
  if (!courier_) return enqueue(to, what, {at.from, record.offset}, by);
  by_.allowance().take(size_of(what.key, what.value, what.headers));
  courier_->take(at, record, what);
}

void writing::enqueue(const route& to, const emission& what, const source_record& of, const std::shared_ptr<held>& by) {
  by_.allowance().take(size_of(what.key, what.value, what.headers));
  outbox_.append(to, what, of, by);
}

void writing::drop() {
  if (!session_.done()) producer_ready_ = false;
  session_ = {};
  serving_ = transacting_ = false;
  ready_ = false;
  leave_all();
  outbox_.drop();
  if (courier_) courier_->abandon();
  lanes_.clear();
}

void writing::halt(course& at, const std::string& reason) {
  at.halted = next_of(at) < 0 ? reason : "offset " + std::to_string(next_of(at)) + ": " + reason;
  at_.log(severity::error, at_.name + ": " + to_string(at.from->where) + " stops at " + at.halted);
  if (at.refused_by) look_again_ = std::min(look_again_, at_.loop.now() + look_whether_it_is_taken);
}

// A topic has been given other settings, or more partitions.
void writing::go_on_where_topics_have_changed() {
  for (const auto* each : lanes_)
    for (const auto& course : each->courses) {
      if (!course->refused_by || course->halted.empty()) continue;
      const auto* now = outputs_.routes().to(course->refused_by->name);
      if (!now || *now == *course->refused_by) {
        look_again_ = std::min(look_again_, at_.loop.now() + look_whether_it_is_taken);
        continue;
      }
      at_.log(severity::info, at_.name + ": " + to_string(course->from->where) + " is tried again at offset " +
                                  std::to_string(course->next) + ", since " + now->name + " has changed");
      std::erase_if(refused_, [&](const auto& known) { return known.what.from == course->from; });
      course->forget_why_it_stopped();
      course->interrupted = true;
    }
}

void writing::interrupted(course& at, const failure& why) {
  at_.log(severity::warn, at_.name + ": " + to_string(at.from->where) + " at offset " + std::to_string(at.next) + ": " +
                                to_string(why));
  look_soon();
}

void writing::look_soon() {
  if (look_again_ != time_point::max()) return;
  const auto now = at_.loop.now();
  if (now > interrupted_at_ + calm) interruption_.reset();
  interrupted_at_ = now;
  look_again_ = now + interruption_();
  turned_.notify();
}

void writing::hold(course& at, const blame& why) {
  at.held_until = at_.loop.now() + *why.again;
  if (at.tried.so_far.is_first())
    at_.log(severity::warn, at_.name + ": " + to_string(at.from->where) + " waits at offset " + std::to_string(at.next) +
                                  " and tries again: " + why.node + ": " + why.reason);
  turned_.notify();
}

time_point writing::next_held() const {
  auto next = time_point::max();
  for (const auto* each : lanes_)
    for (const auto& course : each->courses)
      if (course->held_until > at_.loop.now()) next = std::min(next, course->held_until);
  next = std::min({next, next_release(), next_call()});
  for (const auto* each : lanes_)
    if (!each->taken && each->ask_again > at_.loop.now()) next = std::min(next, each->ask_again);
  return next;
}

const refusal* writing::refused(const source_record& what) const {
  const auto known = std::ranges::find(refused_, what, &refusal::what);
  return known == refused_.end() ? nullptr : &*known;
}

void writing::passed_over(std::uint32_t sink, const source& from, std::int64_t offset, const std::string& reason) {
  const auto& spec = at_.topology.sinks()[sink];
  const bool is_kept = spec.on_failure.what() != policy::kind::skip;
  auto& count = is_kept ? counted_.dead_letters : counted_.records_refused;
  ++count;
  by_.omissions().say(spec.name, is_kept, from.where, offset, reason);
}

// Without a word about the key itself, which may be somebody's name.
void writing::parked(const course& at, std::string_view node, std::int64_t offset) {
  constexpr auto say_again = 10s;
  const auto now = at_.loop.now();
  if (said_parked_ != time_point{} && now < said_parked_ + say_again) return;
  said_parked_ = now;
  at_.log(severity::warn, at_.name + ": " + std::string{node} + ": parks the key of offset " + std::to_string(offset) +
                              " of " + to_string(at.from->read_as()) +
                              "; its later records follow it until they are released");
}

void writing::resolve(std::uint32_t sink, const std::string& topic) {
  if (!topic.empty()) outputs_.ask_for(sink, topic);
  look_soon();
}

std::vector<lane*> writing::taken_lanes() const {
  auto taken = lanes_;
  std::erase_if(taken, [](const auto* each) { return !each->taken; });
  return taken;
}

std::vector<lane*> writing::fresh_lanes() const {
  auto fresh = lanes_;
  std::erase_if(fresh, [&](const auto* each) { return each->taken || at_.loop.now() < each->ask_again; });
  return fresh;
}

void writing::leave_all() {
  beginning_ = {};
  for (auto* each : lanes_)
    for (const auto& course : each->courses) at_.reading.leave(*course);
}

writer writing::writer_now() const {
  return {at_.names.prefix() + "." + at_.options.instance, id_, by_.assignment().generation};
}

bool writing::has_to_look_at_sources() const {
  return sources_seen_ != at_.reading.version() || at_.loop.now() >= look_again_;
}

// What cannot be found out now is no reason to let go of what is being read.
task<result<void>> writing::look_at_sources() {
  sources_seen_ = at_.reading.version();
  look_again_ = time_point::max();
  auto looked = co_await outputs_.prepare_routes();
  say_what_is_missing();
  go_on_where_topics_have_changed();
  if (looked) looked = co_await open_courses(taken_lanes());
  const bool goes_on = !looked && looked.error().kind != failure_kind::refused &&
                       looked.error().kind != failure_kind::out_of_range;
  if (!goes_on) co_return looked;
  trouble_.raise(looked.error());
  look_soon();
  co_return result<void>{};
}

void writing::say_what_is_missing() {
  if (!outputs_.missing()) return;
  trouble_.raise(*outputs_.missing());
  look_soon();
}

void writing::recovered() {
  if (std::any_of(lanes_.begin(), lanes_.end(), [](const auto* each) { return !each->taken; })) return;
  if (look_again_ == time_point::max() && !outputs_.missing() && suspects_.empty()) trouble_.settle();
  ready_ = true;
}

task<void> writing::serve() {
  refused_.clear();
  suspects_.clear();
  say_what_is_missing();
  backoff pause;
  while (!closing()) {
    result<void> done = co_await open_producer();
    // Finding out how far fresh lanes are may take as long as somebody's open transaction; the others go on meanwhile.
    std::vector<lane*> fresh;
    task<void> finding;
    found_ = result<void>{};
    // What fails at every commit takes its lanes over successfully every time.
    const auto quiet = at_.loop.now() + idle_commit;
    serving_ = done.has_value();
    while (done && !closing()) {
      if (found_ && !fresh.empty()) {
        done = *found_;
        if (done && !placed_.empty()) done = co_await claim_lanes(placed_);
        if (done && courier_)
          for (const auto* each : placed_) courier_->own(each->number, each->sequence);
        if (done) fresh.clear();
        continue;
      }
      if (fresh.empty() && !(fresh = fresh_lanes()).empty()) {
        found_.reset();
        finding = find_places(fresh);
        finding.start();
        continue;
      }
      for (auto* each : taken_lanes())
        for (const auto& course : each->courses)
          if (course->waits_for_reading(at_.loop.now())) at_.reading.board(*course);
      make_calls();
      follow_commands();
      go_on_releasing();
      if (auto* next = beginning_.done() ? ready_to_release() : nullptr) {
        beginning_ = begin_release(*next);
        beginning_.start();
      }
      if (found_ && has_to_look_at_sources()) {
        done = co_await look_at_sources();
      } else if (worth_committing()) {
        transacting_ = true;
        done = co_await transact();
        transacting_ = false;
        if (done && fresh.empty()) pause.reset(), recovered();
      } else {
        if (fresh.empty() && (at_.loop.now() >= quiet || !trouble_.current())) recovered();
        const auto due = std::min({next_commit(), next_held(), found_ ? look_again_ : time_point::max()});
        const bool has_to_settle = fresh.empty() && !ready_ && at_.loop.now() < quiet;
        co_await turned_.wait_until(has_to_settle ? std::min(due, quiet) : due);
      }
    }
    if (done) break;
    finding = {};
    ready_ = false;
    if (done.error().kind == failure_kind::refused) {
      by_.end(done.error());
      co_return;
    }
    trouble_.raise(done.error());
    // The membership that the transaction named may be one that this worker itself has replaced by now.
    const bool lost = done.error().kind == failure_kind::lost_member || done.error().kind == failure_kind::fenced_member;
    co_await recover(done.error());
    if (lost) break;  // the group's own event says what comes next
    const auto again = at_.loop.now() + pause();
    while (!closing() && at_.loop.now() < again) co_await turned_.wait_until(again);
  }
  retired_ = healed();
  leave_all();
  if (courier_) co_await finish_deliveries();
  if (producer_ready_ && serving_ && (!outbox_.empty() || worth_committing()))
    if (auto last = co_await transact(); !last) co_await recover(last.error());
  if (at_.reading.memories().used()) at_.reading.save_memories();
  if (courier_) turn_back();
  serving_ = false;
  ready_ = false;
  by_.changed();
}

}  // namespace flow::engine
