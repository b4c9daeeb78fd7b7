#include <algorithm>
#include <limits>

#include "writing.hpp"

/// One transaction after the other: outputs, position records and the group's offsets, then the local state. The order
/// of the steps is the protocol; docs/internals/commit-protocol.md shows what breaks without each.
namespace flow::engine {
namespace {

using namespace std::chrono_literals;

// A commit costs three round trips; following each other more closely than this gains nothing a reader would notice.
constexpr auto pause_between = 5ms;
// Bytes of a transaction that say how fast the cluster takes them.
constexpr std::size_t telling = 64u << 10;
// A fenced worker waits until its consumer would have learned that its instance id runs twice.
constexpr auto two_heartbeats = 6s;

// An EndTxn that was sent twice may still be on its way, and would end the next transaction of this epoch half way.
bool is_repeated(int end_requests) { return end_requests > 1; }

}  // namespace

// What a lane had read when it was lost is part of no later transaction.
bool writing::moved(const lane& of) const {
  return of.taken && (of.has_called || std::any_of(of.courses.begin(), of.courses.end(),
                                                   [&](const auto& each) { return moved(*each); }));
}

bool writing::moved(const course& what) const {
  if (!what.dirty && !(what.letters && what.letters->at.dirty)) return false;
  const auto known = what.of->committed.find(what.from->where);
  return known == what.of->committed.end() || place_of(what).next != known->second.next ||
         parked_of(what, at_.topology) != known->second.parked;
}

place writing::place_of(const course& at) const {
  const auto* undone = courier_ ? courier_->undone(*at.from) : nullptr;
  return undone ? *undone : here(at);
}

// Only who reads knows all that its dedups have to know.
place writing::here(const course& at) const {
  place found{next_of(at), last_of(at), clocks_of(at), at.look_back_to};
  if (at.on && at_.reading.memories().used())
    found.look_back_to = at_.reading.memories().needed_from(*at.from, found.now, found.next);
  return found;
}

task<result<void>> writing::open_producer() {
  if (producer_ready_) co_return result<void>{};
  if (fenced_) co_await at_.loop.sleep(two_heartbeats);
  largest_batch_ = outputs_.routes().largest_batch();
  for (auto* each : {producer_.get(), plain_.get()})
    if (each) each->limit_batches(largest_batch_);
  auto opened = co_await answer<void>(at_.loop, [&](auto done) { producer_->init(std::move(done)); });
  if (opened && plain_)
    opened = co_await answer<void>(at_.loop, [&](auto done) { plain_->init(std::move(done)); });
  if (opened) {
    producer_ready_ = true;
    fenced_ = false;
  } else if (opened.error().kind == failure_kind::timed_out) {
    // What this id has left may wait for a marker in a partition that is ill. Whoever takes the lanes over finds it.
    name_producer(by_.next_id());
  }
  co_return opened;
}

void writing::name_producer(std::string id) {
  id_ = std::move(id);
  topics_told_ = 0;
  producer_ = at_.cluster.open_producer({.transactional_id = id_, .transaction_timeout = at_.options.transaction_timeout});
  if (at_.options.promised == guarantee::at_least_once && !at_.outside && !at_.process)
    plain_ = at_.cluster.open_producer({});
}

void writing::tell_topics() {
  for (const auto& names = outputs_.names(); topics_told_ < names.size(); ++topics_told_) {
    producer_->topic(names[topics_told_]);
    if (plain_) plain_->topic(names[topics_told_]);
  }
}

bool writing::worth_committing() const {
  if (!outbox_.empty()) return closing() || at_.loop.now() >= last_commit_ + pause_between;
  if (at_.loop.now() < last_commit_ + pause_between_positions() && !closing()) return false;
  return std::any_of(lanes_.begin(), lanes_.end(), [this](const auto* each) { return moved(*each); });
}

// When what waits becomes worth it, and positions that moved without any output; whatever moves later comes with a turn.
time_point writing::next_commit() const {
  if (!outbox_.empty()) return last_commit_ + pause_between;
  const auto due = last_commit_ + pause_between_positions();
  return due > at_.loop.now() ? due : time_point::max();
}

duration writing::pause_between_positions() const {
  return courier_ ? duration{at_.options.commit_every} : duration{idle_commit};
}

bool writing::must_close(time_point began, std::size_t bytes, std::size_t records) const {
  const auto now = at_.loop.now();
  return closing() || now >= began + at_.options.commit_every || bytes >= room() || records >= limit_.records ||
         (at_.reading.idle() && now >= began + (bytes < telling || is_far() ? 0ms : pause_between));
}

// More comes while a commit lasts than while one waits, and what is sent later has to be added to the transaction by a
// request of its own.
bool writing::is_far() const { return commit_took_ > 10 * pause_between; }

task<result<void>> writing::transact() {
  const auto began = at_.loop.now();
  std::size_t sent = 0;
  struct {
    std::uint64_t records = 0, bytes = 0;
  } written;
  in_transaction_ = 0;
  if (!plain_) producer_->begin();
  co_await step("begun");
  auto& writes = plain_ ? *plain_ : *producer_;
  outgoing records;
  for (;;) {
    if (!outbox_.empty()) {
      last_sent_ = outbox_.latest();
      in_transaction_ += outbox_.records();
      sent += outbox_.size();
      records = outbox_.take();
      written.records += records.records.size();
      written.bytes += records.size;
    }
    if (must_close(began, sent, in_transaction_)) break;
    if (!records.empty()) {
      tell_topics();
      writes.send(std::exchange(records, {}));
      co_await step("sent");
    }
    co_await turned_.wait_until(std::min(began + at_.options.commit_every, at_.loop.now() + pause_between));
  }

  std::vector<written_lane> positions;
  for (auto* each : lanes_)
    if (moved(*each)) positions.push_back(write_position(*each));
  if (plain_) {
    tell_topics();
    plain_->send(std::exchange(records, {}));
    co_await step("sent");
    auto stored = co_await answer<port::committed>(at_.loop, [&](auto done) { plain_->flush(std::move(done)); });
    if (!stored) co_return tl::unexpected{stored.error()};
    producer_->begin();
  }
  const auto closed = at_.loop.now();
  auto done = co_await commit(std::move(positions), std::move(records));
  commit_took_ = at_.loop.now() - closed;
  if (!done) {
    const auto kind = done.error().kind;
    if (kind == failure_kind::timed_out || kind == failure_kind::abortable)
      limit_.transaction = std::max(limit_.transaction / 2, smallest_transaction);
    co_return done;
  }
  ++counted_.commits;
  if (sent > 0) ++clean_commits_;
  counted_.records_written += written.records;
  counted_.bytes_written += written.bytes;
  last_commit_ = at_.loop.now();
  forget_what_is_passed();
  if (suspects_.empty() && limit_.records < std::numeric_limits<std::size_t>::max() / 2) limit_.records *= 2;
  learn_rate(began, sent);
  co_return done;
}

// What the cluster cannot take within the transaction's timeout is never committed, so a transaction holds a quarter of
// what was acknowledged in that time. One of a few records tells nothing about that.
void writing::learn_rate(time_point began, std::size_t bytes) {
  if (bytes < std::min(telling, limit_.transaction)) return;
  const std::chrono::duration<double> took = at_.loop.now() - began;
  const std::chrono::duration<double> whole = at_.options.transaction_timeout;
  const double most = static_cast<double>(bytes) * (whole / 4 / std::max(took, std::chrono::duration<double>{1ms}));
  limit_.transaction = std::clamp(static_cast<std::size_t>(most), smallest_transaction,
                                  std::max(at_.options.share.transaction, smallest_transaction));
}

writing::written_lane writing::write_position(lane& of) {
  written_lane made{&of, {}, {}};
  of.has_called = false;
  made.as.of = at_.provenance_now();
  made.as.by = writer_now();
  made.as.sequence = of.sequence + 1;
  made.as.sources = of.committed;
  // What is kept may go on changing by other sources; of one that is not read the number would soon be old.
  for (auto& [where, each] : made.as.sources)
    if (each.process) each.process->keys = 0;
  for (const auto& each : of.courses) {
    if (next_of(*each) < 0) continue;
    const auto at = place_of(*each);
    each->dirty = at.next != next_of(*each);
    each->look_back_to = at.look_back_to;
    if (each->letters) each->letters->at.dirty = false;
    auto& written = made.as.sources[each->from->where] = {
        .next = at.next, .last = at.last, .begin = each->begin, .look_back_to = at.look_back_to};
    const auto& dedups = at_.topology.dedups();
    for (std::size_t i = 0; i < dedups.size(); ++i)
      written.dedups.emplace(dedups[i].kept_as(), dedup_position{at.now[i], dedups[i].window.count()});
    if (each->kept) written.process = {each->kept->state.clock(), static_cast<std::int64_t>(each->kept->state.count())};
    written.parked = parked_of(*each, at_.topology);
  }
  made.encoded = encode(made.as);
  return made;
}

// Positions go before the last of the records: a client asks at once for the partitions that a transaction is to hold,
// and for those that come a moment later when it has been answered, a round trip later.
task<result<void>> writing::commit(std::vector<written_lane> lanes, outgoing last) {
  const auto kept = std::make_shared<std::vector<written_lane>>(std::move(lanes));
  outgoing positions;
  positions.buffers.push_back(kept);
  std::vector<port::group_offset> offsets;
  for (const auto& each : *kept) {
    positions.records.push_back({.topic = outputs::lanes_topic,
                                 .partition = each.of->number,
                                 .timestamp = stamped_by_the_broker,
                                 .key = position_key,
                                 .value = each.encoded,
                                 .headers = {},
                                 .wants_offset = true});
    // The record that this transaction writes has no offset yet. The one before has, and a reader that starts there
    // finds this one as well; the metadata says that it must.
    offsets.push_back({at_.lane_topic(each.of->number), each.of->position_offset, std::to_string(each.as.sequence)});
  }
  tell_topics();
  producer_->send(std::move(positions));
  if (!last.empty()) {
    producer_->send(std::move(last));
    co_await step("sent");
  }
  // The metadata of the assignment that the lanes are owned under. Asked for now it would be that of a later one, and a
  // worker that had lost its lanes would commit beside its successor.
  const auto as = by_.assignment();
  if (!as.valid()) co_return fail(failure_kind::lost_member, "the group on " + at_.name + " has gone on without us");
  auto named = co_await answer<void>(
      at_.loop, [&](auto done) { producer_->send_offsets(std::move(offsets), as, std::move(done)); });
  if (!named) co_return named;
  co_await step("offsets sent");

  auto ended = co_await answer<port::committed>(at_.loop, [&](auto done) { producer_->commit(std::move(done)); });
  if (!ended) {
    // Only before EndTxn was sent is a transaction known to be open.
    const bool known = ended.error().kind == failure_kind::abortable || ended.error().kind == failure_kind::rejected;
    if (!known) producer_ready_ = false;
    co_return tl::unexpected{ended.error()};
  }
  co_await step("committed");
  for (std::size_t i = 0; i < kept->size(); ++i) {
    auto& each = (*kept)[i];
    each.of->sequence = each.as.sequence;
    each.of->committed = each.as.sources;
    // A client that sent the record twice may not know where the first one is; then the one before will do.
    if (ended->offsets[i] >= 0) each.of->position_offset = ended->offsets[i];
  }
  auto stored = co_await store(*kept);
  if (!stored) co_return stored;
  co_await step("stored");
  if (is_repeated(ended->end_requests)) {
    producer_ready_ = false;
    auto opened = co_await open_producer();
    if (!opened) co_return opened;
  }
  co_return result<void>{};
}

task<result<void>> writing::store(const std::vector<written_lane>& lanes) {
  std::map<port::lane_key, port::lane_state> batch;
  for (const auto& each : lanes) batch[{at_.name, each.of->number}] = {each.as.sequence, each.encoded};
  backoff pause;
  for (;;) {
    auto written = at_.state.write(batch);
    if (written || written.error().kind != failure_kind::retriable) co_return written;
    // Local state may be one transaction behind Kafka, not two: nothing goes on until there is room.
    trouble_.raise(written.error());
    co_await at_.loop.sleep(pause());
    if (closing()) co_return result<void>{};
  }
}

// Somewhere in the transaction is a record that the cluster does not take, and it does not say which. Ever smaller
// transactions find it, and stay small until all that may be it has been written or found.
void writing::narrow_down(const failure& why) {
  limit_.records = std::max<std::size_t>(in_transaction_ / 2, 1);
  if (in_transaction_ == 1) {
    const auto others = std::ranges::remove(refused_, last_sent_, &refusal::what);
    const bool twice = !others.empty();
    refused_.erase(others.begin(), others.end());
    const auto* what = last_sent_.call == 0 ? " refuses the record: " : " refuses what the call makes: ";
    refused_.push_back({last_sent_, at_.name + what + why.text, twice});
    suspects_.clear();
    return;
  }
  for (auto* each : lanes_)
    for (const auto& course : each->courses)
      for (const auto* way : {course.get(), course->letters ? &course->letters->at : nullptr}) {
        if (!way) continue;
        auto& until = suspects_[way->from];
        until = std::max(until, next_of(*way));
      }
}

void writing::forget_what_is_passed() {
  for (const auto* each : lanes_)
    for (const auto& course : each->courses) {
      const auto done = each->committed.find(course->from->where);
      if (done == each->committed.end()) continue;
      const auto clear = [&](const source* from, std::int64_t next) {
        if (const auto suspect = suspects_.find(from); suspect != suspects_.end() && next >= suspect->second)
          suspects_.erase(suspect);
        std::erase_if(refused_, [&](const auto& known) { return known.what.from == from && known.what.offset < next; });
      };
      clear(course->from, done->second.next);
      if (const auto& parked = done->second.parked; !parked.letters.topic.empty())
        clear(&at_.reading.letters_of(*course->from, parked.letters, at_.name), parked.settled);
    }
}

task<void> writing::recover(failure why) {
  leave_all();
  for (auto* each : lanes_) each->taken = false;
  outbox_.drop();
  if (courier_) courier_->abandon();
  serving_ = false;  // nothing of it may be committed any more, not even at a stop
  clean_commits_ = 0;
  // Before the abort: it may take as long as the partitions are ill.
  if (!why.where.empty() && !closing() && !courier_) by_.part(*this, why.where);
  if (plain_) producer_ready_ = false;
  switch (why.kind) {
    case failure_kind::rejected:
      // Perhaps each record is small enough, and together they are more than a topic takes that has come in meanwhile.
      if (outputs_.routes().largest_batch() < largest_batch_) {
        producer_ready_ = false;
        break;
      }
      narrow_down(why);
      [[fallthrough]];
    case failure_kind::abortable:
    case failure_kind::lost_member:
    case failure_kind::fenced_member:
    case failure_kind::retriable:
      if (producer_ready_) {
        auto aborted = co_await answer<int>(at_.loop, [&](auto done) { producer_->abort(std::move(done)); });
        if (!aborted || is_repeated(*aborted)) producer_ready_ = false;
      }
      break;
    case failure_kind::fenced:
      fenced_ = true;
      producer_ready_ = false;
      break;
    case failure_kind::missing:
      outputs_.forget_routes();
      [[fallthrough]];
    default:
      producer_ready_ = false;
  }
}

}  // namespace flow::engine
