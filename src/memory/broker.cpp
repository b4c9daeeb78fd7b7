#include "broker.hpp"

#include <limits>
#include <set>
#include <stdexcept>

namespace flow::memory {
namespace {

bytes view(const std::optional<std::string>& text) {
  return text ? bytes{*text} : bytes{};
}

}  // namespace

broker::broker(std::string name, scheduler& clock, faults with, settings_map defaults)
    : node_{std::make_shared<node>(std::move(name), clock, with, std::move(defaults))} {}

const std::string& broker::name() const {
  return node_->name();
}

void broker::set_faults(const faults& with) {
  const std::scoped_lock lock{node_->mutex};
  node_->conditions() = with;
}

topic& broker::at(const std::string& name) {
  const auto found = node_->topics().find(name);
  if (found == node_->topics().end()) throw std::out_of_range{"no topic " + name};
  return found->second;
}

partition& broker::at(const topic_partition& where) {
  partition* there = at(where.topic).find(where.partition);
  if (!there) throw std::out_of_range{"no partition " + std::to_string(where.partition) + " of " + where.topic};
  return *there;
}

void broker::create_topic(const std::string& name, std::int32_t partitions, settings_map settings) {
  const std::scoped_lock lock{node_->mutex};
  const auto created = node_->create_topic({name, partitions, -1, std::move(settings)});
  if (!created) throw std::invalid_argument{created.error().text};
}

void broker::add_partitions(const std::string& name, std::int32_t total) {
  const std::scoped_lock lock{node_->mutex};
  const auto added = node_->add_partitions(name, total);
  if (!added) throw std::invalid_argument{added.error().text};
}

void broker::change_settings(const std::string& name, const settings_map& settings) {
  const std::scoped_lock lock{node_->mutex};
  const auto changed = node_->change_settings(name, settings);
  if (!changed) throw std::invalid_argument{changed.error().text};
}

void broker::delete_topic(const std::string& name) {
  const std::scoped_lock lock{node_->mutex};
  node_->delete_topic(name);
}

void broker::recreate_topic(const std::string& name) {
  const std::scoped_lock lock{node_->mutex};
  const topic& old = at(name);
  const port::new_topic again{name, old.partitions(), -1, old.settings()};
  node_->delete_topic(name);
  [[maybe_unused]] const auto created = node_->create_topic(again);
}

void broker::truncate(const topic_partition& where, std::int64_t new_start) {
  const std::scoped_lock lock{node_->mutex};
  partition& there = at(where);
  there.log.truncate(new_start);
  there.changed.wake();
}

void broker::compact(const std::string& topic) {
  const std::scoped_lock lock{node_->mutex};
  auto& compacted = at(topic);
  for (std::int32_t number = 0; number < compacted.partitions(); ++number) compacted.find(number)->log.compact();
}

std::int64_t broker::append(const topic_partition& where, producer_identity who, bool transactional,
                            const record& what) {
  at(where);
  std::vector<header> headers;
  for (const record_header& each : what.headers) headers.push_back({each.key, view(each.value)});
  const auto stored =
      node_->append(where, who, transactional, {{0, 0, what.timestamp, view(what.key), view(what.value), headers}});
  if (!stored) throw std::invalid_argument{stored.error().text};
  return *stored;
}

std::int64_t broker::append(const topic_partition& where, const record& what) {
  const std::scoped_lock lock{node_->mutex};
  return append(where, {}, false, what);
}

void broker::append_transaction(const std::vector<std::pair<topic_partition, record>>& records, bool commit) {
  const std::scoped_lock lock{node_->mutex};
  const producer_identity who{node_->new_producer_id(), 0};
  std::set<topic_partition> written;
  for (const auto& [where, what] : records) {
    append(where, who, true, what);
    written.insert(where);
  }
  for (const topic_partition& where : written) node_->write_marker(where, who, commit);
}

std::vector<std::vector<record>> broker::contents(const std::string& topic) {
  const std::scoped_lock lock{node_->mutex};
  auto& shown = at(topic);
  std::vector<std::vector<record>> all(static_cast<std::size_t>(shown.partitions()));
  for (std::int32_t number = 0; number < shown.partitions(); ++number) {
    const partition_log& log = shown.find(number)->log;
    const auto read = log.read(log.start(), port::isolation::read_committed, std::numeric_limits<std::size_t>::max());
    for (const log_slice& each : read->slices)
      for (std::size_t index = each.first; index < each.last; ++index)
        all[static_cast<std::size_t>(number)].push_back(to_record(each.records->records()[index]));
  }
  return all;
}

std::int64_t broker::group_offset(const std::string& group, const topic_partition& where) {
  const std::scoped_lock lock{node_->mutex};
  const auto stored = node_->group_named(group).offsets({where}, port::isolation::read_uncommitted);
  return std::get<0>(stored)->front().offset;
}

std::int64_t broker::high_watermark(const topic_partition& where) {
  const std::scoped_lock lock{node_->mutex};
  return at(where).log.high_watermark();
}

std::int64_t broker::last_stable(const topic_partition& where) {
  const std::scoped_lock lock{node_->mutex};
  return at(where).log.last_stable();
}

void broker::cut() {
  const std::scoped_lock lock{node_->mutex};
  node_->set_cut(true);
}

void broker::heal() {
  const std::scoped_lock lock{node_->mutex};
  node_->set_cut(false);
}

void broker::stall(const topic_partition& where) {
  const std::scoped_lock lock{node_->mutex};
  node_->set_stalled(where, true);
}

void broker::recover(const topic_partition& where) {
  const std::scoped_lock lock{node_->mutex};
  node_->set_stalled(where, false);
}

void broker::delay_markers(const topic_partition& where, delay by) {
  const std::scoped_lock lock{node_->mutex};
  node_->set_marker_delay(where, by);
}

void broker::delay_group_markers(const std::string& group, delay by) {
  const std::scoped_lock lock{node_->mutex};
  node_->set_marker_delay(group, by);
}

void broker::expire_group_offsets(const std::string& group) {
  const std::scoped_lock lock{node_->mutex};
  node_->group_named(group).forget_offsets();
}

void broker::kill_session(const std::string& member_or_instance) {
  const std::scoped_lock lock{node_->mutex};
  for (auto& [name, each] : node_->groups()) each.expire_member(member_or_instance);
}

}  // namespace flow::memory
