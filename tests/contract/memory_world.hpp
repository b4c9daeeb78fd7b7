#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "cluster.hpp"
#include "world.hpp"

namespace flow::contract {

/// Letters lie here until time passes.
class letter_box : public port::mailbox {
 public:
  void post(std::function<void()> letter) override { letters_.push_back(std::move(letter)); }
  void open_all();

 private:
  std::deque<std::function<void()>> letters_;
};

/// One in-memory cluster under simulated time. Events come in another order with another `--gtest_random_seed`.
class memory_world : public world {
 public:
  std::unique_ptr<port::cluster> connect(const std::string& client_id) override;
  bool pump_until(const std::function<bool()>& condition, port::milliseconds limit) override;
  port::wake wake() override;
  std::string unique(const std::string& stem) override;
  std::int64_t now() const override;
  void expire_group_offset(const std::string& group, const topic_partition& where) override;
  void delete_records(const topic_partition& where, std::int64_t first) override;
  void delete_topic(const std::string& name) override;

  memory::broker& broker() { return broker_; }

 private:
  mutable memory::event_queue time_{static_cast<std::uint64_t>(GTEST_FLAG_GET(random_seed))};
  memory::broker broker_{"home", time_};
  std::shared_ptr<letter_box> letters_ = std::make_shared<letter_box>();
  int names_ = 0;
};

}  // namespace flow::contract
