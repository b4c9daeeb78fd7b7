#include "records.hpp"

#include <algorithm>
#include <cstring>

namespace flow::memory {
namespace {

constexpr char scribbled = '\xDD';
constexpr std::size_t blocks_kept = 8;

std::optional<std::string> to_optional(bytes data) {
  return data.is_null() ? std::nullopt : std::optional{data.str()};
}

char* copy(std::string_view from, char* to) {
  if (!from.empty()) std::memcpy(to, from.data(), from.size());
  return to + from.size();
}

bytes keep(bytes from, char*& room) {
  if (from.is_null()) return from;
  const bytes kept{room, from.size()};
  room = copy(from.view(), room);
  return kept;
}

}  // namespace

record to_record(const fetched_record& from) {
  record to{to_optional(from.key), to_optional(from.value), from.timestamp, {}, from.offset};
  for (const header& each : from.headers) to.headers.push_back({std::string{each.key}, to_optional(each.value)});
  return to;
}

std::size_t size_of(const fetched_record& record) {
  std::size_t size = record.key.size() + record.value.size();
  for (const header& each : record.headers) size += each.key.size() + each.value.size();
  return size;
}

void packed_records::assign(std::span<const fetched_record> from) {
  records_.assign(from.begin(), from.end());
  headers_.clear();
  size_ = 0;
  std::size_t headers = 0;
  for (const fetched_record& each : from) size_ += size_of(each), headers += each.headers.size();
  // One more byte, so that an empty value at the end is not null.
  block_.resize(size_ + 1);
  headers_.reserve(headers);

  char* room = block_.data();
  for (fetched_record& each : records_) {
    each.key = keep(each.key, room);
    each.value = keep(each.value, room);
    const std::size_t first = headers_.size();
    for (const header& one : each.headers) {
      const std::string_view key{room, one.key.size()};
      room = copy(one.key, room);
      headers_.push_back({key, keep(one.value, room)});
    }
    each.headers = std::span{headers_}.subspan(first);
  }
}

void packed_records::scribble() {
  static constexpr char nonsense[] = {scribbled, scribbled, scribbled, scribbled};
  std::ranges::fill(block_, scribbled);
  std::ranges::fill(headers_, header{{nonsense, sizeof nonsense}, {nonsense, sizeof nonsense}});
}

std::shared_ptr<packed_records> lending_pool::lend() {
  std::unique_ptr<packed_records> block;
  {
    const std::scoped_lock lock{mutex_};
    if (blocks_.size() >= blocks_kept) {
      block = std::move(blocks_.front());
      blocks_.pop_front();
    }
  }
  if (!block) block = std::make_unique<packed_records>();
  return {block.release(), [pool = shared_from_this()](packed_records* back) {
            pool->take_back(std::unique_ptr<packed_records>{back});
          }};
}

void lending_pool::take_back(std::unique_ptr<packed_records> block) {
  block->scribble();
  const std::scoped_lock lock{mutex_};
  blocks_.push_back(std::move(block));
}

}  // namespace flow::memory
