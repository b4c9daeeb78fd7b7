#include "courier.hpp"

#include <algorithm>
#include <limits>

#include "intake.hpp"

namespace flow::engine {
namespace {

using namespace std::chrono_literals;

// However long a destination wants to be left alone: perhaps it is mistaken.
constexpr port::milliseconds longest_rest = 10min;

emission looking_at(const keepsake& bytes, emission what) {
  what.key = bytes.key;
  what.value = bytes.value;
  what.headers = bytes.headers;
  what.topic = bytes.topic;
  return what;
}

bool is_as_read(const emission& what, const fetched_record& record) {
  return what.key.data() == record.key.data() && what.value.data() == record.value.data() &&
         what.headers.data() == record.headers.data();
}

}  // namespace

keepsake::keepsake(flow::bytes of_key, flow::bytes of_value, std::span<const header> of_headers, flow::bytes of_topic) {
  // Views into the room are views into one piece: it never grows.
  room_.reserve(size_of(of_key, of_value, of_headers) + of_topic.size());
  const auto keep = [&](std::string_view text) {
    const auto at = room_.size();
    room_ += text;
    return std::string_view{room_.data() + at, text.size()};
  };
  const auto kept = [&](flow::bytes what) { return what.is_null() ? flow::bytes{} : flow::bytes{keep(what.view())}; };
  key = kept(of_key);
  value = kept(of_value);
  topic = kept(of_topic);
  for (const auto& each : of_headers) {
    const auto name = keep(each.key);
    headers.push_back({name, kept(each.value)});
  }
}

courier::courier(surroundings with, std::unique_ptr<flow::destination> to)
    : with_{std::move(with)},
      sink_{with_.topology.sinks()[with_.number]},
      prefix_{with_.application + "/" + sink_.name + "/"},
      trouble_{with_.loop, with_.log, with_.name},
      changed_{with_.loop},
      to_{std::move(to)} {
  running_ = run();
  running_.start();
}

// ---- source partitions

void courier::take(const course& by, const fetched_record& record, const emission& what) {
  const auto& from = *by.from;
  auto& to = ways_.try_emplace(from.id, way{.from = &from, .entries = {}}).first->second;
  if (to.entries.empty() || to.entries.back().at.next != record.offset) {
    to.entries.push_back({.at = with_.by.here(by), .timestamp = record.timestamp, .original = {}, .out = {}});
    to.entries.back().at.next = record.offset;
  }
  auto& into = to.entries.back();
  const auto bytes = std::make_shared<const keepsake>(what.key, what.value, what.headers, what.topic);
  auto size = size_of(what.key, what.value, what.headers) + kept_beside_each;
  if (what.sink != with_.number) {
    into.out.push_back({looking_at(*bytes, what), bytes});
    into.size += size;
  } else {
    if (sink_.on_failure.what() == policy::kind::dead_letter && !into.original) {
      const bool shared = is_as_read(what, record);
      into.original = shared ? bytes : std::make_shared<const keepsake>(record.key, record.value, record.headers);
      if (!shared) size += size_of(record.key, record.value, record.headers);
    }
    const auto& read_as = from.entries.front();
    const auto one = std::make_shared<parcel>(parcel{.of = &to,
                                                     .entry = to.first + to.entries.size() - 1,
                                                     .bytes = bytes,
                                                     .idempotency_key = {},
                                                     .what = {},
                                                     .number = what.number,
                                                     .partition = what.partition,
                                                     .size = size,
                                                     .together = sink_.to.how.batch});
    one->idempotency_key = prefix_ + read_as.cluster + "/" + read_as.topic + "/" + std::to_string(read_as.partition) +
                           "/" + std::to_string(record.offset) + "/" + std::to_string(into.emissions);
    one->what = {.key = bytes->key,
                 .value = bytes->value,
                 .headers = bytes->headers,
                 .timestamp = what.timestamp,
                 .from = {read_as.cluster, read_as.topic, read_as.partition, record.offset},
                 .number = into.emissions++,
                 .idempotency_key = one->idempotency_key,
                 .fencing_token = tokens_[from.task]};
    ++into.open;
    line_key key{from.id, what.key.is_null() ? std::nullopt : std::optional{what.key.str()}};
    auto& at = lines_[key];
    if (!at) at = std::make_shared<line>(line{.key = std::move(key), .waiting = {}});
    at->waiting.push_back(one);
    line_up(at);
  }
  to.size += size;
  size_ += size;
  const auto ahead = static_cast<std::size_t>(sink_.to.how.ahead);
  if (to.entries.size() >= ahead || to.size + size_ >= with_.room) to.crowded = full_ = true;
  changed_.notify();
}

bool courier::crowded(const source& from) const {
  const auto known = ways_.find(from.id);
  return known != ways_.end() && known->second.crowded;
}

// A source partition may fill as much as it leaves free, so that those which get on never lack room.
void courier::measure(way& what) {
  const auto ahead = static_cast<std::size_t>(sink_.to.how.ahead);
  if (what.entries.size() <= ahead / 2 && 2 * what.size + size_ < with_.room) what.crowded = false;
}

const place* courier::undone(const source& from) const {
  const auto known = ways_.find(from.id);
  return known == ways_.end() || known->second.entries.empty() ? nullptr : &known->second.entries.front().at;
}

void courier::stop(const source& from, std::int64_t offset, const std::string& reason) {
  auto& at = ways_.at(from.id);
  for (auto each = lines_.lower_bound({from.id, std::nullopt}); each != lines_.end() && each->first.first == from.id;
       ++each)
    drop(*each->second, offset);
  place end;
  while (!at.entries.empty() && at.entries.back().at.next >= offset) {
    end = std::move(at.entries.back().at);
    lighten(at, at.entries.back().size);
    at.entries.pop_back();
  }
  with_.by.stopped(from, end, reason);
}

void courier::resume() {
  paused_ = false;
  for (const auto& [key, each] : lines_)
    if (!each->waiting.empty()) line_up(each);
  changed_.notify();
}

void courier::abandon() {
  for (const auto& [key, each] : lines_) drop(*each, std::numeric_limits<std::int64_t>::min());
  std::erase_if(lines_, [](const auto& each) { return each.second->waiting.empty(); });
  for (const auto& [key, each] : lines_) each->queued = false;
  ready_.clear();
  resting_.clear();
  ways_.clear();
  size_ = 0;
  full_ = false;
}

// ---- lines

void courier::line_up(const line_ptr& what) {
  if (what->queued || what->under_way > 0) return;
  what->queued = true;
  ready_.push_back(what);
}

void courier::drop(line& at, std::int64_t offset) {
  for (std::size_t i = 0; i < at.waiting.size(); ++i) {
    auto& each = *at.waiting[i];
    if (!each.of || each.what.from.offset < offset) continue;
    lighten(*each.of, each.size);
    each.of = nullptr;
  }
  const auto not_begun = at.waiting.begin() + static_cast<std::ptrdiff_t>(at.under_way);
  at.waiting.erase(std::remove_if(not_begun, at.waiting.end(), [](const auto& each) { return !each->of; }),
                   at.waiting.end());
  if (at.waiting.size() == at.under_way) failing_.erase(&at);
}

// ---- batches

task<void> courier::run() {
  for (;;) {
    for (auto& each : std::exchange(answers_, {})) settle(std::move(each));
    give_up_late();
    if (is_overdue()) trouble_.raise({failure_kind::retriable, "a delivery has not been answered for a minute", {}});
    if (has_healed()) trouble_.settle();
    while (!resting_.empty() && resting_.begin()->first <= with_.loop.now()) {
      ready_.push_back(std::move(resting_.begin()->second));
      resting_.erase(resting_.begin());
    }
    if (const auto number = load()) {
      to_->deliver(trips_.at(*number).batch, [this, number = *number](std::vector<receipt> how) {
        answers_.push_back({number, std::move(how)});
        changed_.notify();
      });
      const crash_point sent{with_.reached("sent")};
      co_await sent;
    } else if (answers_.empty()) {
      co_await changed_.wait_until(due());
    }
  }
}

time_point courier::due() const {
  const auto rested = resting_.empty() ? time_point::max() : resting_.begin()->first;
  const bool is_to_wait = !ready_.empty() && left_alone_until_ > with_.loop.now();
  const auto healed = trouble_.current() && !is_troubled() ? failed_ + calm : time_point::max();
  const auto overdue = trips_.empty() || is_overdue() ? time_point::max() : trips_.begin()->second.began + longest_call;
  return std::min({rested, late_at(), is_to_wait ? left_alone_until_ : time_point::max(), healed, overdue});
}

time_point courier::late_at() const {
  const bool has_limit = sink_.to.how.timeout.count() > 0;
  return has_limit && !trips_.empty() ? trips_.begin()->second.began + sink_.to.how.timeout : time_point::max();
}

void courier::give_up_late() {
  while (with_.loop.now() >= late_at()) {
    const auto number = trips_.begin()->first;
    const auto text = "has not been answered within " + std::to_string(sink_.to.how.timeout.count()) + " ms";
    settle({number, std::vector(trips_.begin()->second.parcels.size(), receipt::retriable(text)), true});
  }
}

bool courier::is_overdue() const {
  return !trips_.empty() && with_.loop.now() >= trips_.begin()->second.began + longest_call;
}

std::optional<std::uint64_t> courier::load() {
  if (with_.loop.now() < left_alone_until_) return std::nullopt;
  if (trips_.size() + late_.size() >= static_cast<std::size_t>(sink_.to.how.in_flight)) return std::nullopt;
  trip made;
  auto most = static_cast<std::size_t>(sink_.to.how.batch);
  while (!ready_.empty() && made.parcels.size() < most) {
    const auto at = ready_.front();
    for (const auto& each : at->waiting) {
      const auto with_it = std::min(most, static_cast<std::size_t>(each->together));
      if (made.parcels.size() >= with_it || !may_begin(*each)) break;
      most = with_it;
      each->of->begun = std::max(each->of->begun, each->entry + 1);
      each->what.attempt = each->failed + 1;
      made.parcels.push_back(each);
      made.batch.push_back(each->what);
      ++at->under_way;
    }
    const bool has_to_come_apart = at->under_way == 0 && !at->waiting.empty() && may_begin(*at->waiting.front());
    if (has_to_come_apart) break;
    ready_.pop_front();
    at->queued = false;
    if (at->under_way > 0)
      made.stops.push_back(at);
    else if (at->waiting.empty())
      lines_.erase(at->key);
  }
  if (made.parcels.empty()) return std::nullopt;
  made.began = with_.loop.now();
  trips_.emplace(++begun_, std::move(made));
  return begun_;
}

void courier::settle(answered what) {
  auto found = trips_.extract(what.trip);
  if (found.empty()) {
    late_.erase(what.trip);
    return;
  }
  const auto& trip = found.mapped();
  const auto size = trip.parcels.size();
  if (what.how.size() != size)
    what.how.assign(size, receipt::retriable("gave " + std::to_string(what.how.size()) + " receipts for " +
                                             std::to_string(size) + " deliveries"));
  auto how = what.how.begin();
  for (const auto& at : trip.stops) {
    std::vector<parcel_ptr> again;
    for (; at->under_way > 0; ++how) {
      const auto one = std::move(at->waiting.front());
      at->waiting.pop_front();
      --at->under_way;
      if (how->what == receipt::kind::apart) {
        if (size == 1) how->what = receipt::kind::permanent;
        one->together = std::max(1, static_cast<int>(size) / 2);
      }
      // What is of the same key as one that has failed has to come behind it.
      if (one->of && (!again.empty() || !settle(*one, *how, at))) again.push_back(one);
    }
    at->waiting.insert(at->waiting.begin(), again.begin(), again.end());
    if (!at->waiting.empty())
      line_up(at);
    else if (!at->queued)
      lines_.erase(at->key);
  }
  if (what.is_late) late_.insert(std::move(found));
}

bool courier::settle(parcel& one, const receipt& how, const line_ptr& at) {
  switch (how.what) {
    case receipt::kind::done:
      failing_.erase(at.get());
      ++with_.counted.records_written;
      with_.counted.bytes_written += size_of(one.bytes->key, one.bytes->value, one.bytes->headers);
      if (sink_.to.how.wants_answers)
        keep_answer(one, how.answer);
      else
        done(one);
      return true;
    case receipt::kind::apart:
      return false;
    case receipt::kind::permanent:
      failing_.erase(at.get());
      give_up(one, how.text);
      return true;
    case receipt::kind::retriable:
      break;
  }
  const auto& tries = sink_.on_failure.tries();
  if (one.failed++ == 0) one.since = with_.loop.now();
  // Unless it was said when to give up, the world is waited for.
  const bool is_limited = tries != retries{};
  const auto for_how_long = std::chrono::duration_cast<std::chrono::milliseconds>(with_.loop.now() - one.since);
  if (is_limited && (one.failed > tries.times || for_how_long >= tries.within)) {
    failing_.erase(at.get());
    give_up(one, how.text + " (tried " + std::to_string(one.failed) + " times)");
    return true;
  }
  try_again(one, how, at);
  return false;
}

// Asked again it would be answered no better.
void courier::keep_answer(parcel& one, const std::optional<std::string>& answer) {
  const auto what = answer_to(one, answer);
  if (const auto why = with_.by.unwritable(*one.of->from, what); !why.empty())
    return give_up(one, "its answer: " + why);
  keep(one, what);
  done(one);
}

void courier::try_again(parcel& one, const receipt& how, const line_ptr& at) {
  ++with_.counted.retried;
  failing_.insert(at.get());
  failed_ = with_.loop.now();
  trouble_.raise({failure_kind::retriable, how.text, {}});
  if (how.after) left_alone_until_ = std::max(left_alone_until_, with_.loop.now() + std::min(*how.after, longest_rest));
  at->queued = true;
  resting_.emplace(with_.loop.now() + pause_after(one.failed, sink_.on_failure.tries().between, one.what.from), at);
}

void courier::give_up(parcel& one, const std::string& why) {
  const auto& from = *one.of->from;
  const auto offset = one.what.from.offset;
  switch (sink_.on_failure.what()) {
    case policy::kind::stop:
      lighten(*std::exchange(one.of, nullptr), one.size);
      return stop(from, offset, sink_.name + ": " + why);
    case policy::kind::skip:
      with_.by.passed_over(with_.number, from, offset, why);
      return done(one);
    case policy::kind::dead_letter:
    case policy::kind::park_key: {  // which no plan has here
      arena room;
      keep(one, letter_of(one, why, room));
      with_.by.passed_over(with_.number, from, offset, why);
      return done(one);
    }
  }
}

void courier::done(parcel& one) {
  --entry_of(one).open;
  lighten(*one.of, one.size);
  one.of = nullptr;
}

void courier::keep(const parcel& one, const emission& what) {
  auto& of = entry_of(one);
  const auto bytes = std::make_shared<const keepsake>(what.key, what.value, what.headers, what.topic);
  const auto size = size_of(what.key, what.value, what.headers) + kept_beside_each;
  const auto before = [](std::uint32_t number, const auto& each) { return number < each.what.number; };
  of.out.insert(std::upper_bound(of.out.begin(), of.out.end(), what.number, before), {looking_at(*bytes, what), bytes});
  of.size += size;
  one.of->size += size;
  size_ += size;
}

emission courier::answer_to(const parcel& one, const std::optional<std::string>& answer) const {
  return {.sink = sink_.answers,
          .partition = one.partition,
          .timestamp = one.what.timestamp,
          .key = one.what.key,
          .value = answer ? flow::bytes{*answer} : flow::bytes{},
          .headers = one.what.headers,
          .number = one.number};
}

emission courier::letter_of(const parcel& one, const std::string& why, arena& room) {
  const auto& of = entry_of(one);
  const fetched_record record{.offset = one.what.from.offset,
                              .timestamp = of.timestamp,
                              .key = of.original->key,
                              .value = of.original->value,
                              .headers = of.original->headers};
  return with_.topology.letter_for(one.of->from->entries.front(), record,
                                   {.sink = with_.number,
                                    .number = one.number,
                                    .why = why,
                                    .attempts = one.what.attempt,
                                    .time = with_.wall_clock()},
                                   room);
}

}  // namespace flow::engine
