#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "cluster.hpp"

namespace flow::memory {

class letter_box : public port::mailbox {
 public:
  void post(std::function<void()> letter) override { letters_.push_back(std::move(letter)); }

  void open_all() {
    while (!letters_.empty()) {
      const auto letter = std::move(letters_.front());
      letters_.pop_front();
      letter();
    }
  }

 private:
  std::deque<std::function<void()>> letters_;
};

/// One cluster under simulated time, and whoever works with it.
struct stage {
  explicit stage(std::uint64_t seed = 1, faults with = {}) : time{seed}, cluster{"home", time, with} {}

  std::unique_ptr<port::cluster> connect(const std::string& client_id = "test") {
    return memory::connect(cluster, letters, {client_id});
  }

  void run_until(const std::function<bool()>& condition) {
    const auto deadline = time.now() + std::chrono::minutes{2};
    for (;;) {
      letters->open_all();
      if (condition()) return;
      if (time.now() > deadline || !time.run_next()) throw std::runtime_error{"waited in vain"};
    }
  }

  template <typename T>
  result<T> await(const std::function<void(port::reply<T>)>& ask) {
    std::optional<result<T>> answer;
    ask([&](result<T> got) { answer = std::move(got); });
    run_until([&] { return answer.has_value(); });
    return *answer;
  }

  result<void> init(port::producer& one) {
    return await<void>([&](auto done) { one.init(done); });
  }
  result<port::committed> commit(port::producer& one) {
    return await<port::committed>([&](auto done) { one.commit(done); });
  }

  event_queue time;
  broker cluster;
  std::shared_ptr<letter_box> letters = std::make_shared<letter_box>();
};

/// Records without keys that own their values.
inline outgoing batch(topic_id topic, std::int32_t partition, std::vector<std::string> values) {
  const auto kept = std::make_shared<const std::vector<std::string>>(std::move(values));
  outgoing all;
  for (const std::string& each : *kept) all.records.push_back({topic, partition, 0, {}, each, {}});
  all.buffers.push_back(kept);
  return all;
}

inline std::vector<std::string> values(const std::vector<record>& records) {
  std::vector<std::string> all;
  for (const record& each : records) all.push_back(each.value.value_or("null"));
  return all;
}

}  // namespace flow::memory
