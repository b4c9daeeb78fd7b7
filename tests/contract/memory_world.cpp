#include "memory_world.hpp"

#include <algorithm>
#include <utility>

namespace flow::contract {

void letter_box::open_all() {
  while (!letters_.empty()) {
    const auto letter = std::move(letters_.front());
    letters_.pop_front();
    letter();
  }
}

std::unique_ptr<port::cluster> memory_world::connect(const std::string& client_id) {
  return memory::connect(broker_, letters_, {client_id});
}

bool memory_world::pump_until(const std::function<bool()>& condition, port::milliseconds limit) {
  // Members are polled at least this often, however long nothing happens.
  constexpr port::milliseconds look_again{20};
  const auto deadline = time_.now() + limit;
  for (;;) {
    letters_->open_all();
    if (condition()) return true;
    if (time_.now() >= deadline) return false;
    const auto until = std::min(deadline, time_.now() + look_again);
    const auto next = time_.next();
    if (next && *next <= until) {
      time_.run_next();
    } else {
      time_.advance_to(until);
    }
  }
}

port::wake memory_world::wake() {
  return [] {};
}

std::string memory_world::unique(const std::string& stem) {
  return stem + "-" + std::to_string(++names_);
}

std::int64_t memory_world::now() const {
  return time_.wall_clock();
}

void memory_world::expire_group_offset(const std::string& group, const topic_partition&) {
  broker_.expire_group_offsets(group);
}

void memory_world::delete_records(const topic_partition& where, std::int64_t first) {
  broker_.truncate(where, first);
}

void memory_world::delete_topic(const std::string& name) {
  broker_.delete_topic(name);
}

std::unique_ptr<world> make_world() {
  return std::make_unique<memory_world>();
}

}  // namespace flow::contract
