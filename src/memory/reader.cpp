#include "reader.hpp"

#include <algorithm>

namespace flow::memory {
namespace {

constexpr std::size_t bytes_per_fetch = 1u << 20;
constexpr std::size_t bytes_besides_content = 32;

std::size_t weight(const fetched_record& record) {
  return size_of(record) + bytes_besides_content;
}

std::size_t weight(const log_slice& slice) {
  std::size_t total = 0;
  for (std::size_t index = slice.first; index < slice.last; ++index) total += weight(slice.records->records()[index]);
  return total;
}

}  // namespace

memory_reader::memory_reader(access by, port::reader_options options, port::wake readable)
    : asker{std::move(by)}, options_{options}, readable_{std::move(readable)} {}

memory_reader::~memory_reader() {
  hang_up();
}

void memory_reader::assign(source_id id, const topic_partition& where, std::int64_t offset) {
  const std::scoped_lock lock{home().mutex};
  fetch(id, sources_.insert_or_assign(id, source{where, ++assignments_, offset}).first->second);
}

void memory_reader::unassign(source_id id) {
  const std::scoped_lock lock{home().mutex};
  sources_.erase(id);
  std::erase_if(arrivals_, [&](const arrival& each) {
    if (each.source != id) return false;
    if (const auto* slice = std::get_if<log_slice>(&each.what)) buffered_ -= weight(*slice);
    return true;
  });
  fetch_all();
}

void memory_reader::fetch(source_id id, source& from) {
  if (from.fetching || from.broken || buffered_ >= options_.buffer) return;
  from.fetching = true;
  const auto work = [&cluster = home(), where = from.where, position = from.position, seen = from.reported_end,
                     isolated = options_.isolated]() -> outcome<log_read> {
    const auto there = cluster.find(where);
    if (!there) return result<log_read>{tl::unexpected{there.error()}};
    auto read = (*there)->log.read(position, isolated, bytes_per_fetch);
    const bool nothing_new = read && read->slices.empty() && read->next == seen;
    if (nothing_new) return later{&(*there)->changed};
    return read;
  };
  channel_->ask<log_read>(std::nullopt, work, [this, id, assignment = from.assignment](result<log_read> read) {
    arrived(id, assignment, std::move(read));
  });
}

void memory_reader::fetch_all() {
  for (auto& [id, each] : sources_) fetch(id, each);
}

void memory_reader::arrived(source_id id, std::uint64_t assignment, result<log_read> read) {
  const auto found = sources_.find(id);
  if (found == sources_.end() || found->second.assignment != assignment) return;
  source& of = found->second;
  of.fetching = false;
  if (!read) {
    of.broken = true;
    arrivals_.push_back({id, source_failure{id, std::move(read.error())}});
    return readable_();
  }
  of.position = read->next;
  const bool new_end = read->at_end && read->next != of.reported_end;
  const bool something = !read->slices.empty() || new_end;
  for (log_slice& each : read->slices) {
    buffered_ += weight(each);
    arrivals_.push_back({id, std::move(each)});
  }
  if (new_end) {
    of.reported_end = read->next;
    arrivals_.push_back({id, reached_end{id, read->next}});
  }
  fetch(id, of);
  if (something) readable_();
}

bool memory_reader::poll(fetched& into, std::size_t most) {
  into.clear();
  const std::scoped_lock lock{home().mutex};
  taken_.clear();
  taken_bytes_ = 0;
  while (!arrivals_.empty()) {
    arrival& next = arrivals_.front();
    if (auto* slice = std::get_if<log_slice>(&next.what)) {
      if (taken_.size() >= most || taken_bytes_ >= options_.batch) break;
      take(next.source, *slice, most);
      if (slice->first < slice->last) break;
    } else if (const auto* end = std::get_if<reached_end>(&next.what)) {
      into.ends.push_back(*end);
    } else {
      into.failures.push_back(std::move(std::get<source_failure>(next.what)));
    }
    arrivals_.pop_front();
  }
  if (!taken_.empty()) {
    const auto block = pool_->lend();
    block->assign(taken_);
    lent_.clear();
    into.records.assign(block->records().begin(), block->records().end());
    into.buffers = block;
  }
  fetch_all();
  return !into.empty();
}

void memory_reader::take(source_id id, log_slice& slice, std::size_t most) {
  const auto records = slice.records->records();
  lent_.push_back(slice.records);
  for (; slice.first < slice.last && taken_.size() < most && taken_bytes_ < options_.batch; ++slice.first) {
    taken_.push_back(records[slice.first]);
    taken_.back().source = id;
    taken_bytes_ += size_of(taken_.back()) + kept_beside_each;
    buffered_ -= weight(taken_.back());
  }
}

}  // namespace flow::memory
