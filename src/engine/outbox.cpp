#include "outbox.hpp"

#include <algorithm>
#include <utility>

namespace flow::engine {

std::size_t size_of(bytes key, bytes value, std::span<const header> headers) {
  std::size_t size = key.size() + value.size();
  for (const auto& each : headers) size += each.key.size() + each.value.size();
  return size;
}

void outbox::append(const route& to, const emission& what, source_record from, const std::shared_ptr<held>& by) {
  if (from != std::exchange(latest_record_, from)) ++records_;
  auto known = std::ranges::find(counted_.rbegin(), counted_.rend(), by.get(), &counted::of);
  if (known == counted_.rend()) {
    counted_.push_back({by.get(), 0});
    known = counted_.rbegin();
    waiting_.buffers.push_back(by);
  }
  const auto size = by->size + by->written.capacity();
  held_ += size - std::exchange(known->size, size);
  waiting_.size += size_of(what.key, what.value, what.headers);
  waiting_.records.push_back({.topic = to.topic,
                              .partition = partition_of(to, what),
                              .timestamp = what.timestamp,
                              .key = what.key,
                              .value = what.value,
                              .headers = what.headers});
}

const std::shared_ptr<held>& outbox::own() {
  if (!own_) own_ = std::make_shared<held>();
  return own_;
}

outgoing outbox::take() {
  const auto as_many = waiting_.records.size();
  counted_.clear();
  held_ = 0;
  own_.reset();
  records_ = 0;
  latest_record_ = {};
  auto taken = std::exchange(waiting_, {});
  // The next turn takes about as much, and growing to it anew would copy it several times.
  waiting_.records.reserve(as_many);
  return taken;
}

void outbox::drop() { take(); }

}  // namespace flow::engine
