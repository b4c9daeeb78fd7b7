#include "node.hpp"

#include <utility>

namespace flow::memory {
namespace {

/// A batch's records by the partition that they go to, and where in the batch they stood.
struct share {
  std::vector<fetched_record> records;
  std::vector<std::size_t> indexes;
};

using shares = std::map<std::pair<topic_id, std::int32_t>, share>;

tl::unexpected<failure> over() {
  return fail(failure_kind::abortable, "the producer has ended the transaction that this was sent for");
}

shares split(const outgoing& batch) {
  shares split;
  share* last = nullptr;
  std::pair<topic_id, std::int32_t> last_key;
  for (std::size_t index = 0; index < batch.records.size(); ++index) {
    const outgoing_record& each = batch.records[index];
    const std::pair key{each.topic, each.partition};
    if (!last || key != last_key) last = &split[key], last_key = key;
    last->records.push_back({0, 0, each.timestamp, each.key, each.value, each.headers});
    last->indexes.push_back(index);
  }
  return split;
}

}  // namespace

node::node(std::string name, scheduler& clock, faults with, settings_map defaults)
    : name_{std::move(name)}, clock_{clock}, faults_{with}, defaults_{std::move(defaults)} {
  defaults_.insert(default_settings().begin(), default_settings().end());
}

void node::at(port::time_point when, std::function<void()> work) {
  clock_.at(when, [weak = weak_from_this(), work = std::move(work)]() mutable {
    const auto self = weak.lock();
    if (!self) return;
    const std::scoped_lock lock{self->mutex};
    // What the work holds is destroyed with the lock held, too.
    std::exchange(work, nullptr)();
  });
}

microseconds node::draw(delay from) {
  if (from.most <= from.least) return from.least;
  const auto width = static_cast<std::uint64_t>((from.most - from.least).count()) + 1;
  return from.least + microseconds{static_cast<std::int64_t>(clock_.random() % width)};
}

bool node::happens(double chance) {
  if (chance <= 0) return false;
  return static_cast<double>(clock_.random() >> 11) * 0x1p-53 < chance;
}

void node::set_cut(bool cut) {
  cut_ = cut;
  if (!cut) beyond_the_cut_.wake();
}

void node::set_stalled(const topic_partition& where, bool stalled) {
  if (stalled)
    stalled_.insert(where);
  else
    stalled_.erase(where);
}

result<void> node::create_topic(const port::new_topic& wanted) {
  if (topics_.contains(wanted.name)) return {};
  if (wanted.name.empty() || wanted.name.size() > 249 || wanted.partitions < 1)
    return fail(failure_kind::rejected, "a topic cannot be called '" + wanted.name + "' and have " +
                                            std::to_string(wanted.partitions) + " partitions");
  settings_map settings = wanted.settings;
  settings.insert(defaults_.begin(), defaults_.end());
  try {
    topics_.try_emplace(wanted.name, wanted.partitions, std::move(settings));
  } catch (const std::exception&) {
    return fail(failure_kind::rejected, "topic " + wanted.name + " has a setting that should be a number and is none");
  }
  topic_changed(wanted.name);
  return {};
}

result<void> node::add_partitions(const std::string& name, std::int32_t total) {
  const auto found = topics_.find(name);
  if (found == topics_.end()) return fail(failure_kind::missing, "no topic " + name);
  if (total < found->second.partitions())
    return fail(failure_kind::rejected, "topic " + name + " has more partitions than that already");
  if (total == found->second.partitions()) return {};
  found->second.grow(total);
  topic_changed(name);
  return {};
}

result<void> node::delete_records(const topic_partition& where, std::int64_t below) {
  const auto there = find(where);
  if (!there) return tl::unexpected{there.error()};
  auto& log = (*there)->log;
  const auto& settings = topics_.at(where.topic).settings();
  if (const auto policy = settings.find("cleanup.policy"); policy != settings.end() && policy->second == "compact")
    return fail(failure_kind::denied, where.topic + " is compacted, so no record of it can be deleted");
  if (below > log.high_watermark())
    return fail(failure_kind::out_of_range, to_string(where) + " ends before " + std::to_string(below));
  if (below <= log.start()) return {};
  log.truncate(below);
  (*there)->changed.wake();
  return {};
}

result<void> node::change_settings(const std::string& name, const settings_map& settings) {
  const auto found = topics_.find(name);
  if (found == topics_.end()) return fail(failure_kind::missing, "no topic " + name);
  try {
    found->second.change(settings);
  } catch (const std::exception&) {
    return fail(failure_kind::rejected, "topic " + name + " has a setting that should be a number and is none");
  }
  return {};
}

void node::delete_topic(const std::string& name) {
  const auto deleted = topics_.extract(name);
  if (!deleted) return;
  for (std::int32_t number = 0; number < deleted.mapped().partitions(); ++number)
    deleted.mapped().find(number)->changed.wake();
  topic_changed(name);
}

void node::topic_changed(const std::string& name) {
  for (auto& [id, each] : groups_) each.topic_changed(name);
}

result<partition*> node::find(const topic_partition& where) {
  const auto found = topics_.find(where.topic);
  partition* there = found == topics_.end() ? nullptr : found->second.find(where.partition);
  if (!there)
    return fail(failure_kind::missing, name_ + " has no " + where.topic + "/" + std::to_string(where.partition));
  return there;
}

std::int32_t node::partition_count(const std::string& topic) const {
  const auto found = topics_.find(topic);
  return found == topics_.end() ? 0 : found->second.partitions();
}

result<void> node::admit(producer_session& by, const topic_partition& where) {
  return find(where).and_then([&](partition* there) -> result<void> {
    if (by.transactional_id.empty()) return {};
    if (auto fits = there->log.admit(by.who); !fits) return fits;
    // Only a transaction's first batch in a partition is checked with the coordinator, as in Kafka.
    if (there->log.in_transaction(by.who)) return {};
    return coordinator_.verify(by.transactional_id, by.who, where);
  });
}

outcome<std::vector<std::int64_t>> node::produce(producer_session& by, std::uint64_t transaction, const outgoing& batch,
                                                 const std::vector<std::string>& topics) {
  if (transaction != by.transaction) return result<std::vector<std::int64_t>>{over()};
  if (by.failed) return result<std::vector<std::int64_t>>{tl::unexpected{*by.failed}};
  const bool fails = !by.transactional_id.empty() && happens(conditions().failed_batches);
  auto offsets = fails ? result<std::vector<std::int64_t>>{fail(failure_kind::abortable, "no leader took the records")}
                       : try_to_produce(by, batch, topics);
  const failure* why = failure_of(offsets);
  // What follows a record that was not stored would overtake it.
  if (why) by.failed = *why;
  return offsets;
}

outcome<std::vector<std::int64_t>> node::try_to_produce(producer_session& by, const outgoing& batch,
                                                        const std::vector<std::string>& topics) {
  using answer = result<std::vector<std::int64_t>>;
  const shares by_partition = split(batch);
  const bool transactional = !by.transactional_id.empty();

  std::vector<topic_partition> unannounced;
  for (const auto& [key, part] : by_partition) {
    topic_partition where{topics.at(key.first), key.second};
    if (const auto there = find(where); !there) return answer{tl::unexpected{there.error()}};
    if (transactional && !by.partitions.contains(where)) unannounced.push_back(std::move(where));
  }
  if (!unannounced.empty()) {
    const auto added = coordinator_.add(by.transactional_id, by.who, unannounced);
    if (const auto* wait = std::get_if<later>(&added)) return *wait;
    if (const failure* why = failure_of(added)) return answer{tl::unexpected{*why}};
    by.partitions.insert(unannounced.begin(), unannounced.end());
  }

  std::optional<failure> failed;
  std::vector<topic_partition> not_taken;
  std::vector<std::int64_t> offsets(batch.records.size());
  for (const auto& [key, part] : by_partition) {
    topic_partition where{topics.at(key.first), key.second};
    if (stalled_.contains(where)) {
      not_taken.push_back(std::move(where));
      continue;
    }
    const auto base = admit(by, where).and_then([&] { return append(where, by.who, transactional, part.records, by.largest_batch); });
    if (!base) {
      if (!failed) failed = base.error();
      continue;
    }
    for (std::size_t index = 0; index < part.indexes.size(); ++index)
      offsets[part.indexes[index]] = *base + static_cast<std::int64_t>(index);
  }
  if (failed) return answer{tl::unexpected{std::move(*failed)}};
  if (!not_taken.empty()) {
    failed = {
        failure_kind::abortable, to_string(not_taken.front()) + " on " + name_ + ": no leader took the records", {}};
    if (transactional && by.partitions.size() > not_taken.size()) failed->where = std::move(not_taken);
    return answer{tl::unexpected{std::move(*failed)}};
  }
  std::vector<std::int64_t> wanted;
  for (std::size_t index = 0; index < offsets.size(); ++index)
    if (batch.records[index].wants_offset) wanted.push_back(offsets[index]);
  return answer{std::move(wanted)};
}

outcome<void> node::store_offsets(producer_session& by, std::uint64_t transaction, const port::membership& as,
                                  const std::vector<port::group_offset>& offsets) {
  if (transaction != by.transaction) return result<void>{over()};
  for (const port::group_offset& each : offsets)
    if (const auto there = find(each.where); !there) return result<void>{tl::unexpected{there.error()}};
  if (!by.groups.contains(as.group)) {
    const auto added = coordinator_.add_group(by.transactional_id, by.who, as.group);
    if (std::holds_alternative<later>(added) || failure_of(added)) return added;
    by.groups.insert(as.group);
  }
  group& stored_by = group_named(as.group);
  if (!stored_by.in_transaction(by.who))
    if (auto open = coordinator_.verify_group(by.transactional_id, by.who, as.group); !open) return open;
  return stored_by.store_pending(by.who, as, offsets);
}

result<std::int64_t> node::append(const topic_partition& where, producer_identity who, bool transactional,
                                  std::vector<fetched_record> records, std::size_t largest_batch) {
  return find(where).and_then([&](partition* there) -> result<std::int64_t> {
    const topic& holder = topics_.find(where.topic)->second;
    if (auto accepted = holder.accept(records, largest_batch, clock_.wall_clock()); !accepted)
      return tl::unexpected{std::move(accepted.error())};
    holder.stamp(records, clock_.wall_clock());
    const std::int64_t base = there->log.append(who, transactional, records);
    there->changed.wake();
    return base;
  });
}

bool node::write_marker(const topic_partition& where, producer_identity who, bool commit) {
  if (stalled_.contains(where)) return false;
  const auto there = find(where);
  if (!there) return true;
  (*there)->log.append_marker(who, commit, clock_.wall_clock());
  (*there)->changed.wake();
  return true;
}

microseconds node::marker_delay(const std::variant<topic_partition, std::string>& where) {
  const auto own = marker_delays_.find(where);
  return draw(own == marker_delays_.end() ? faults_.marker : own->second);
}

}  // namespace flow::memory
