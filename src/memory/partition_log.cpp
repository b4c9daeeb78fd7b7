#include "partition_log.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace flow::memory {

std::int64_t partition_log::last_stable() const {
  std::int64_t stable = end_;
  for (const auto& [id, first] : open_) stable = std::min(stable, first);
  return std::max(stable, start_);
}

std::int64_t partition_log::visible_end(port::isolation isolated) const {
  return isolated == port::isolation::read_committed ? last_stable() : end_;
}

std::int64_t partition_log::at_time(std::int64_t time) const {
  for (const batch& each : batches_) {
    if (each.end == fate::marker) {
      if (each.timestamp >= time && each.base >= start_) return each.base;
      continue;
    }
    for (const fetched_record& record : each.records->records())
      if (record.timestamp >= time && record.offset >= start_) return record.offset;
  }
  return end_;
}

result<void> partition_log::admit(producer_identity who) const {
  const auto newest = epochs_.find(who.id);
  if (newest != epochs_.end() && newest->second > who.epoch)
    return fail(failure_kind::fenced, "a newer producer with the same transactional id has written here");
  return {};
}

void partition_log::know(producer_identity who) {
  if (who.id >= 0) epochs_[who.id] = std::max(epochs_[who.id], who.epoch);
}

std::int64_t partition_log::append(producer_identity who, bool transactional, std::span<const fetched_record> records) {
  const std::int64_t base = end_;
  auto copies = std::make_shared<packed_records>(records);
  for (fetched_record& each : copies->records()) each.offset = end_++;
  if (transactional) open_.try_emplace(who.id, base);
  know(who);
  batches_.push_back({base, end_ - 1, 0, who, transactional ? fate::open : fate::committed, std::move(copies)});
  return base;
}

void partition_log::append_marker(producer_identity who, bool commit, std::int64_t timestamp) {
  know(who);
  if (const auto open = open_.find(who.id); open != open_.end()) {
    const auto first = std::ranges::lower_bound(batches_, open->second, {}, &batch::last);
    for (auto each = first; each != batches_.end(); ++each)
      if (each->who.id == who.id && each->end == fate::open) each->end = commit ? fate::committed : fate::aborted;
    open_.erase(open);
  }
  batches_.push_back({end_, end_, timestamp, who, fate::marker, nullptr});
  ++end_;
}

std::deque<partition_log::batch>::const_iterator partition_log::first_reaching(std::int64_t offset) const {
  return std::ranges::lower_bound(batches_, offset, {}, &batch::last);
}

result<log_read> partition_log::read(std::int64_t from, port::isolation isolated, std::size_t most_bytes) const {
  if (from < start_ || from > end_)
    return fail(failure_kind::out_of_range, "offset " + std::to_string(from) + " is not within " +
                                                std::to_string(start_) + ".." + std::to_string(end_));
  const bool committed_only = isolated == port::isolation::read_committed;
  const std::int64_t end = std::max(from, visible_end(isolated));
  log_read read{{}, end, true};
  std::size_t size = 0;
  for (auto each = first_reaching(from); each != batches_.end() && each->base < end; ++each) {
    if (size >= most_bytes) {
      read.next = each->base;
      read.at_end = false;
      break;
    }
    if (each->end == fate::marker || (committed_only && each->end == fate::aborted)) continue;
    const auto records = each->records->records();
    const auto first = std::ranges::lower_bound(records, from, {}, &fetched_record::offset) - records.begin();
    read.slices.push_back({each->records, static_cast<std::size_t>(first), records.size()});
    size += each->records->size() + records.size();
  }
  return read;
}

void partition_log::truncate(std::int64_t new_start) {
  start_ = std::clamp(new_start, start_, end_);
  while (!batches_.empty() && batches_.front().last < start_) batches_.pop_front();
}

void partition_log::compact() {
  const std::int64_t stable = last_stable();
  std::map<std::string, std::int64_t, std::less<>> newest;
  const auto is_data = [&](const batch& each) { return each.end == fate::committed && each.base < stable; };
  for (const batch& each : batches_) {
    if (!is_data(each)) continue;
    for (const fetched_record& record : each.records->records())
      newest.insert_or_assign(record.key.str(), record.offset);
  }
  const auto outlives = [&](const fetched_record& record) {
    return newest.find(record.key.view())->second == record.offset;
  };
  for (batch& each : batches_) {
    if (!is_data(each)) continue;
    std::vector<fetched_record> left;
    std::ranges::copy_if(each.records->records(), std::back_inserter(left), outlives);
    each.records = std::make_shared<packed_records>(left);
  }
  std::erase_if(batches_, [&](const batch& each) {
    return each.base < stable && (each.end == fate::aborted || (is_data(each) && each.records->records().empty()));
  });
}

}  // namespace flow::memory
