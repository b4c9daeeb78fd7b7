#include "transaction_coordinator.hpp"

#include "node.hpp"

namespace flow::memory {
namespace {

tl::unexpected<failure> fenced() {
  return fail(failure_kind::fenced,
              "a newer producer with the same transactional id has taken over, or the transaction timed out");
}

tl::unexpected<failure> out_of_step() {
  return fail(failure_kind::abortable, "the cluster knows of no such open transaction");
}

}  // namespace

outcome<producer_identity> transaction_coordinator::init(const std::string& transactional_id,
                                                         port::milliseconds timeout) {
  transaction& known = transactions_[transactional_id];
  known.timeout = timeout;
  if (known.at == stage::ongoing) {
    ++known.who.epoch;
    decide(known, false);
  }
  if (known.deciding()) return later{&known.settled};
  if (known.who.id < 0) known.who.id = home_.new_producer_id();
  ++known.who.epoch;
  known.at = stage::empty;
  return result<producer_identity>{known.who};
}

outcome<transaction_coordinator::transaction*> transaction_coordinator::join_transaction(
    const std::string& transactional_id, producer_identity who) {
  const auto found = transactions_.find(transactional_id);
  if (found == transactions_.end() || found->second.who != who) return result<transaction*>{fenced()};
  transaction& joined = found->second;
  if (joined.deciding()) return later{&joined.settled};
  if (joined.at != stage::ongoing) {
    joined.at = stage::ongoing;
    ++joined.number;
    watch_timeout(joined);
  }
  return result<transaction*>{&joined};
}

outcome<void> transaction_coordinator::add(const std::string& transactional_id, producer_identity who,
                                           std::span<const topic_partition> partitions) {
  const auto joined = join_transaction(transactional_id, who);
  if (const auto* wait = std::get_if<later>(&joined)) return *wait;
  if (const failure* why = failure_of(joined)) return result<void>{tl::unexpected{*why}};
  std::get<0>(joined).value()->partitions.insert(partitions.begin(), partitions.end());
  return result<void>{};
}

outcome<void> transaction_coordinator::add_group(const std::string& transactional_id, producer_identity who,
                                                 const std::string& group) {
  const auto joined = join_transaction(transactional_id, who);
  if (const auto* wait = std::get_if<later>(&joined)) return *wait;
  if (const failure* why = failure_of(joined)) return result<void>{tl::unexpected{*why}};
  std::get<0>(joined).value()->groups.insert(group);
  return result<void>{};
}

outcome<void> transaction_coordinator::end(const std::string& transactional_id, producer_identity who, bool commit) {
  const auto found = transactions_.find(transactional_id);
  if (found == transactions_.end() || found->second.who != who) return result<void>{fenced()};
  transaction& ended = found->second;
  if (ended.at == stage::ongoing) {
    decide(ended, commit);
    return result<void>{};
  }
  const bool asks_again = ended.at == (commit ? stage::committed : stage::aborted);
  const bool still_deciding = ended.at == (commit ? stage::committing : stage::aborting);
  if (still_deciding) return later{&ended.settled};
  if (asks_again) return result<void>{};
  return result<void>{
      fail(failure_kind::fatal, "the cluster has ended this transaction the other way, or never knew it")};
}

result<const transaction_coordinator::transaction*> transaction_coordinator::find_open(
    const std::string& transactional_id, producer_identity who) const {
  const auto found = transactions_.find(transactional_id);
  if (found == transactions_.end() || found->second.who != who) return fenced();
  if (found->second.at != stage::ongoing) return out_of_step();
  return &found->second;
}

result<void> transaction_coordinator::verify(const std::string& transactional_id, producer_identity who,
                                             const topic_partition& where) const {
  return find_open(transactional_id, who).and_then([&](const transaction* open) -> result<void> {
    if (!open->partitions.contains(where)) return out_of_step();
    return {};
  });
}

result<void> transaction_coordinator::verify_group(const std::string& transactional_id, producer_identity who,
                                                   const std::string& group) const {
  return find_open(transactional_id, who).and_then([&](const transaction* open) -> result<void> {
    if (!open->groups.contains(group)) return out_of_step();
    return {};
  });
}

void transaction_coordinator::watch_timeout(transaction& watched) {
  home_.after(watched.timeout + home_.draw(home_.conditions().reaper), [this, &watched, number = watched.number] {
    if (watched.at != stage::ongoing || watched.number != number) return;
    ++watched.who.epoch;
    decide(watched, false);
  });
}

void transaction_coordinator::decide(transaction& decided, bool commit) {
  decided.at = commit ? stage::committing : stage::aborting;
  decided.markers_left = decided.partitions.size() + decided.groups.size();
  const producer_identity who = decided.who;
  for (const topic_partition& where : decided.partitions) write_marker(decided, where, commit);
  for (const std::string& name : decided.groups)
    home_.after(home_.marker_delay(name), [this, &decided, who, commit, name] {
      home_.group_named(name).decide(who, commit);
      marker_written(decided);
    });
  decided.partitions.clear();
  decided.groups.clear();
}

void transaction_coordinator::write_marker(transaction& of, const topic_partition& where, bool commit) {
  home_.after(home_.marker_delay(where), [this, &of, who = of.who, commit, where] {
    if (home_.write_marker(where, who, commit)) return marker_written(of);
    home_.after(microseconds{100'000}, [this, &of, where, commit] { write_marker(of, where, commit); });
  });
}

void transaction_coordinator::marker_written(transaction& of) {
  if (--of.markers_left > 0) return;
  of.at = of.at == stage::committing ? stage::committed : stage::aborted;
  of.settled.wake();
}

}  // namespace flow::memory
