#include "group.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "node.hpp"

namespace flow::memory {
namespace {

tl::unexpected<failure> lost_member() {
  return fail(failure_kind::lost_member, "the group has gone on without this member");
}

tl::unexpected<failure> fenced_member(const std::string& instance_id) {
  return fail(failure_kind::fenced_member, "another member has joined as instance " + instance_id,
              "give every running process an instance id of its own");
}

}  // namespace

result<std::string> group::enter(const join_request& who) {
  const std::string& holder = current_id(who.instance_id);
  if (who.member_id.empty()) {
    if (!holder.empty()) return replace_instance(std::string{holder}, who);
    const std::string id = new_member_id(who);
    members_.emplace(id, member{who, {}, true, {}, false});
    if (!who.instance_id.empty()) instances_[who.instance_id] = id;
    begin_rebalance();
    return id;
  }
  if (auto known = check_identity(who.member_id, who.instance_id); !known) return tl::unexpected{known.error()};
  if (rebalancing_) {
    members_.at(who.member_id).joined = true;
    complete_if_all_joined();
  }
  return who.member_id;
}

result<std::string> group::replace_instance(const std::string& old_id, const join_request& who) {
  const std::string id = new_member_id(who);
  member moved = std::move(members_.extract(old_id).mapped());
  moved.is = who;
  moved.watched = false;
  moved.joined = rebalancing_;
  stay_alive(id, members_.emplace(id, std::move(moved)).first->second);
  instances_[who.instance_id] = id;
  seated_.wake();
  complete_if_all_joined();
  return id;
}

std::string group::new_member_id(const join_request& who) {
  const std::string& begins_with = who.instance_id.empty() ? who.client_id : who.instance_id;
  return begins_with + "-" + std::to_string(home_.draw_number());
}

const std::string& group::current_id(const std::string& instance_id) const {
  static const std::string none;
  const auto found = instances_.find(instance_id);
  return found == instances_.end() ? none : found->second;
}

result<void> group::check_identity(const std::string& member_id, const std::string& instance_id) const {
  const std::string& holder = current_id(instance_id);
  if (!holder.empty() && holder != member_id) return fenced_member(instance_id);
  if (!members_.contains(member_id)) return lost_member();
  return {};
}

result<void> group::check(const port::membership& as) const {
  return check_identity(as.member_id, as.instance_id).and_then([&]() -> result<void> {
    if (as.generation != generation_) return lost_member();
    return {};
  });
}

outcome<place> group::seat(const std::string& member_id, const std::string& instance_id) {
  if (auto known = check_identity(member_id, instance_id); !known) return result<place>{tl::unexpected{known.error()}};
  if (rebalancing_) return later{&seated_};
  return result<place>{place{{name_, generation_, member_id, instance_id}, members_.at(member_id).partitions}};
}

result<bool> group::heartbeat(const port::membership& as) {
  return check(as).map([&] {
    stay_alive(as.member_id, members_.at(as.member_id));
    return rebalancing_;
  });
}

void group::leave(const std::string& member_id) {
  if (members_.contains(member_id)) remove(member_id);
}

bool group::expire_member(const std::string& id) {
  const std::string& holder = current_id(id);
  const std::string member_id = holder.empty() ? id : holder;
  if (!members_.contains(member_id)) return false;
  remove(member_id);
  return true;
}

void group::topic_changed(const std::string& topic) {
  const auto reads_it = [&](const auto& each) { return each.second.is.topic == topic; };
  if (std::ranges::any_of(members_, reads_it)) begin_rebalance();
}

std::vector<port::group_member> group::members() const {
  std::vector<port::group_member> all;
  for (const auto& [id, each] : members_) all.push_back({id, each.is.instance_id, each.is.client_id});
  return all;
}

void group::remove(const std::string& member_id) {
  const auto removed = members_.extract(member_id);
  if (!removed.mapped().is.instance_id.empty()) instances_.erase(removed.mapped().is.instance_id);
  seated_.wake();
  begin_rebalance();
}

void group::begin_rebalance() {
  if (!rebalancing_) {
    rebalancing_ = true;
    port::milliseconds longest{0};
    for (const auto& [id, each] : members_) longest = std::max(longest, each.is.rebalance_timeout);
    home_.after(longest, [this, generation = generation_] {
      if (rebalancing_ && generation == generation_) complete();
    });
  }
  complete_if_all_joined();
}

void group::complete_if_all_joined() {
  const auto joined = [](const auto& each) { return each.second.joined; };
  if (rebalancing_ && std::ranges::all_of(members_, joined)) complete();
}

void group::complete() {
  // Whoever has not joined in time is out, except for static members: those only their session ends.
  std::erase_if(members_, [](const auto& each) { return !each.second.joined && each.second.is.instance_id.empty(); });
  rebalancing_ = false;
  ++generation_;
  std::set<std::string> topics;
  for (auto& [id, each] : members_) {
    topics.insert(each.is.topic);
    if (std::exchange(each.joined, false)) stay_alive(id, each);
  }
  for (const std::string& topic : topics) assign(topic);
  seated_.wake();
}

void group::assign(const std::string& topic) {
  std::vector<std::pair<const std::string*, member*>> order;
  for (auto& [id, each] : members_)
    if (each.is.topic == topic) order.emplace_back(&id, &each);
  // As librdkafka goes round: static members by their instance id, before all others by their member id.
  std::ranges::sort(order, {}, [](const auto& each) {
    const std::string& instance_id = each.second->is.instance_id;
    return std::tuple{instance_id.empty(), instance_id, *each.first};
  });
  for (const auto& [id, each] : order) each->partitions.clear();
  for (std::int32_t partition = 0; partition < home_.partition_count(topic); ++partition)
    order[static_cast<std::size_t>(partition) % order.size()].second->partitions.push_back(partition);
}

void group::stay_alive(const std::string& member_id, member& alive) {
  alive.expires = home_.now() + alive.is.session;
  if (!std::exchange(alive.watched, true)) watch_session(member_id);
}

void group::watch_session(const std::string& member_id) {
  const auto left = std::chrono::duration_cast<microseconds>(members_.at(member_id).expires - home_.now());
  home_.after(left, [this, member_id] {
    const auto found = members_.find(member_id);
    if (found == members_.end()) return;
    // A member that waits for the others to join cannot be expected to say anything.
    if (rebalancing_ && found->second.joined) found->second.expires = home_.now() + found->second.is.session;
    if (found->second.expires <= home_.now()) return remove(member_id);
    watch_session(member_id);
  });
}

result<void> group::store_pending(producer_identity who, const port::membership& as,
                                  const std::vector<port::group_offset>& offsets) {
  const auto newest = epochs_.find(who.id);
  if (newest != epochs_.end() && newest->second > who.epoch)
    return fail(failure_kind::fenced, "a newer producer with the same transactional id has taken over");
  return check(as).map([&] {
    epochs_[who.id] = who.epoch;
    auto& pending = pending_[who.id];
    for (const port::group_offset& each : offsets) pending[each.where] = each;
  });
}

void group::decide(producer_identity who, bool commit) {
  epochs_[who.id] = std::max(epochs_[who.id], who.epoch);
  auto pending = pending_.extract(who.id);
  if (pending && commit)
    for (auto& [where, stored] : pending.mapped()) offsets_[where] = std::move(stored);
  decided_.wake();
}

outcome<std::vector<port::group_offset>> group::offsets(const std::vector<topic_partition>& where,
                                                        port::isolation isolated) {
  std::vector<port::group_offset> answer;
  for (const topic_partition& each : where) {
    const auto undecided = [&](const auto& pending) { return pending.second.contains(each); };
    if (isolated == port::isolation::read_committed && std::ranges::any_of(pending_, undecided))
      return later{&decided_};
    const auto stored = offsets_.find(each);
    answer.push_back(stored == offsets_.end() ? port::group_offset{each, -1, {}} : stored->second);
  }
  return result<std::vector<port::group_offset>>{std::move(answer)};
}

}  // namespace flow::memory
