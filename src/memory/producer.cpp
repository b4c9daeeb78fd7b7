#include "producer.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace flow::memory {
namespace {

failure dropped() {
  return {failure_kind::abortable, "dropped, because the producer was asked to start anew", {}};
}

/// What a failure to store offsets means for the transaction: the member may be lost, the producer is not.
failure for_transaction(const failure& why) {
  const bool of_producer = why.kind == failure_kind::fenced;
  return {of_producer ? why.kind : failure_kind::abortable, why.text, why.remedy};
}

}  // namespace

memory_producer::memory_producer(access by, port::producer_options options)
    : asker{std::move(by)}, options_{std::move(options)} {
  const std::scoped_lock lock{home().mutex};
  open_session();
  if (transactional()) return;
  session_->who = {home().new_producer_id(), 0};
  usable_ = true;
}

memory_producer::~memory_producer() {
  hang_up();
}

port::milliseconds memory_producer::delivery_limit() {
  return transactional() ? options_.transaction_timeout : home().conditions().request_limit;
}

void memory_producer::open_session() {
  session_ = std::make_shared<producer_session>();
  session_->transactional_id = options_.transactional_id;
  session_->largest_batch = largest_batch_;
  usable_ = open_ = false;
  unanswered_ = 0;
  failed_.reset();
  offsets_.clear();
}

void memory_producer::drop_what_is_under_way() {
  failure why = dropped();
  for (auto& [number, done] : std::exchange(offset_replies_, {}))
    answer(std::move(done), result<void>{tl::unexpected{why}});
  if (auto ending = std::exchange(ending_, std::nullopt)) {
    const bool unknown = ending->begun && ending->what == ending::kind::commit;
    ending->done(tl::unexpected{failure{unknown ? failure_kind::timed_out : why.kind, why.text, {}}});
  }
  for (request& each : std::exchange(queue_, {})) each.drop(why);
}

void memory_producer::init(port::reply<void> done) {
  const std::scoped_lock lock{home().mutex};
  drop_what_is_under_way();
  connect_anew();
  open_session();
  initialising_ = true;
  const auto work = [&cluster = home(), options = options_]() -> outcome<producer_identity> {
    if (options.transactional_id.empty()) return result<producer_identity>{{cluster.new_producer_id(), 0}};
    return cluster.coordinator().init(options.transactional_id, options.transaction_timeout);
  };
  channel_->ask<producer_identity>(home().conditions().request_limit, work,
                                   [this, done = std::move(done)](result<producer_identity> who) {
                                     initialising_ = false;
                                     usable_ = who.has_value();
                                     if (who) session_->who = *who;
                                     answer(done, who.map([](producer_identity) {}));
                                     carry_out_what_is_queued();
                                   });
}

topic_id memory_producer::topic(std::string_view name) {
  const std::scoped_lock lock{home().mutex};
  const auto known = std::ranges::find(*topics_, name);
  const auto id = static_cast<topic_id>(known - topics_->begin());
  if (known != topics_->end()) return id;
  // Batches on their way keep the list that they were made with.
  auto more = std::make_shared<std::vector<std::string>>(*topics_);
  more->emplace_back(name);
  topics_ = std::move(more);
  return id;
}

void memory_producer::begin() {
  queue({[this] { begin_now(); }, [](const failure&) {}});
}

void memory_producer::send(outgoing batch) {
  const auto kept = std::make_shared<outgoing>(std::move(batch));
  queue({[this, kept, topics = topics_] { send_now(std::move(*kept), topics); }, [](const failure&) {}});
}

void memory_producer::send_offsets(std::vector<port::group_offset> offsets, const port::membership& as,
                                   port::reply<void> done) {
  queue({[this, offsets = std::move(offsets), as, done] { send_offsets_now(offsets, as, done); },
         [this, done](const failure& why) { answer(done, result<void>{tl::unexpected{why}}); }});
}

void memory_producer::commit(port::reply<port::committed> done) {
  end(ending::kind::commit, [this, done = std::move(done)](result<port::committed> how) { answer(done, how); });
}

void memory_producer::abort(port::reply<int> done) {
  end(ending::kind::abort, [this, done = std::move(done)](const result<port::committed>& how) {
    answer(done, how.map([](const port::committed& all) { return all.end_requests; }));
  });
}

void memory_producer::flush(port::reply<port::committed> done) {
  end(ending::kind::flush, [this, done = std::move(done)](result<port::committed> how) { answer(done, how); });
}

void memory_producer::end(ending::kind what, commit_done done) {
  queue({[this, what, done] { end_now(what, done); }, [done](const failure& why) { done(tl::unexpected{why}); }});
}

void memory_producer::queue(request what) {
  const std::scoped_lock lock{home().mutex};
  queue_.push_back(std::move(what));
  carry_out_what_is_queued();
}

void memory_producer::carry_out_what_is_queued() {
  while (!queue_.empty() && !initialising_ && !ending_) {
    const request next = std::move(queue_.front());
    queue_.pop_front();
    next.carry_out();
  }
}

void memory_producer::begin_now() {
  const bool before_was_left_open = std::exchange(open_, true);
  ++session_->transaction;
  session_->partitions.clear();
  session_->groups.clear();
  session_->failed.reset();
  failed_.reset();
  offsets_.clear();
  unanswered_ = 0;
  if (!usable_) failed_ = {failure_kind::fatal, "a transaction was begun without init", {}};
  if (before_was_left_open) failed_ = {failure_kind::fatal, "a transaction was begun within another one", {}};
}

void memory_producer::send_now(outgoing batch, std::shared_ptr<const std::vector<std::string>> topics) {
  if (batch.empty() || failed_) return;
  ++unanswered_;
  const auto work = [&cluster = home(), session = session_, topics = std::move(topics), transaction = session_->transaction,
                     batch = std::make_shared<const outgoing>(std::move(batch))] {
    return cluster.produce(*session, transaction, *batch, *topics);
  };
  channel_->ask<std::vector<std::int64_t>>(
      delivery_limit(), work, [this, transaction = session_->transaction](result<std::vector<std::int64_t>> offsets) {
        if (transaction == session_->transaction && offsets) std::ranges::copy(*offsets, std::back_inserter(offsets_));
        answered(transaction, offsets ? nullptr : &offsets.error());
      },
      road::records);
}

void memory_producer::send_offsets_now(std::vector<port::group_offset> offsets, const port::membership& as,
                                       port::reply<void> done) {
  // The client strips a request of nothing, so nobody looks at the generation.
  if (offsets.empty()) return answer(done, result<void>{});
  ++unanswered_;
  const std::uint64_t number = ++offset_requests_;
  offset_replies_[number] = std::move(done);
  const auto work = [&cluster = home(), session = session_, transaction = session_->transaction, as,
                     offsets = std::move(offsets)] {
    return cluster.store_offsets(*session, transaction, as, offsets);
  };
  channel_->ask<void>(delivery_limit(), work, [this, number, transaction = session_->transaction](result<void> stored) {
    answer(std::move(offset_replies_.extract(number).mapped()), stored);
    const std::optional<failure> why = stored ? std::nullopt : std::optional{for_transaction(stored.error())};
    answered(transaction, why ? &*why : nullptr);
  });
}

void memory_producer::answered(std::uint64_t transaction, const failure* why) {
  if (transaction != session_->transaction) return;
  --unanswered_;
  if (why && !failed_) {
    failed_ = *why;
    // No commit was sent yet, so a missing answer leaves no doubt about the transaction.
    if (transactional() && failed_->kind == failure_kind::timed_out) failed_->kind = failure_kind::abortable;
    session_->failed = failed_;
  }
  end_if_all_is_answered();
}

void memory_producer::end_now(ending::kind what, commit_done done) {
  ending_ = {what, std::move(done), ++endings_};
  if (what == ending::kind::abort) {
    // What has not arrived yet is not stored any more, and nobody waits for it.
    ++session_->transaction;
    unanswered_ = 0;
  }
  end_if_all_is_answered();
}

void memory_producer::end_if_all_is_answered() {
  if (!ending_ || ending_->begun || unanswered_ > 0) return;
  const bool flushes = ending_->what == ending::kind::flush;
  const bool commits = ending_->what == ending::kind::commit;
  if (flushes && failed_) {
    session_->failed.reset();
    return finish(tl::unexpected{*std::exchange(failed_, std::nullopt)});
  }
  if (flushes) return finish(port::committed{std::exchange(offsets_, {}), 0});
  if (commits && failed_) return finish(tl::unexpected{*failed_});

  faults& with = home().conditions();
  ending_->begun = true;
  ending_->deadline = home().now() + with.request_limit;
  const bool unanswered = commits && home().happens(with.lost_commits);
  if (unanswered)
    after(with.request_limit, [this, number = ending_->number, name = home().name()] {
      ended(number, fail(failure_kind::timed_out, name + " has not answered"));
    });
  send_end(unanswered);
}

void memory_producer::send_end(bool unanswered) {
  faults& with = home().conditions();
  const bool commit = ending_->what == ending::kind::commit;
  const bool empty = session_->partitions.empty() && session_->groups.empty();
  const bool late = !empty && ending_->end_requests == 0 && home().happens(with.late_ends);
  if (!empty) ++ending_->end_requests;
  const auto limit = std::chrono::ceil<port::milliseconds>(ending_->deadline - home().now());
  const auto work = [&cluster = home(), session = session_, commit, empty]() -> outcome<void> {
    if (empty && session->partitions.empty() && session->groups.empty()) return result<void>{};
    return cluster.coordinator().end(session->transactional_id, session->who, commit);
  };
  const auto done = [this, number = ending_->number, unanswered](const result<void>& how) {
    if (!unanswered) ended(number, how);
  };
  if (late)
    channel_->ask_late<void>(home().draw(with.late_by), limit, work, done);
  else
    channel_->ask<void>(limit, work, done);
  after(with.end_retry, [this, number = ending_->number, unanswered] {
    if (ending_ && ending_->number == number && ending_->deadline > home().now()) send_end(unanswered);
  });
}

void memory_producer::ended(std::uint64_t number, const result<void>& how) {
  if (!ending_ || ending_->number != number) return;
  const bool commits = ending_->what == ending::kind::commit;
  if (!how) {
    usable_ = usable_ && !commits;
    return finish(tl::unexpected{how.error()});
  }
  open_ = false;
  session_->partitions.clear();
  session_->groups.clear();
  finish(port::committed{std::exchange(offsets_, {}), ending_->end_requests});
}

void memory_producer::finish(result<port::committed> how) {
  const auto done = std::move(ending_->done);
  ending_.reset();
  done(std::move(how));
  carry_out_what_is_queued();
}

}  // namespace flow::memory
