#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "asker.hpp"

namespace flow::memory {

class memory_member final : public port::member, private asker {
 public:
  memory_member(access by, port::member_options options, port::wake readable);
  ~memory_member() override;

  std::optional<port::group_event> poll() override;
  void release() override;
  void leave(port::reply<void> done) override;

 private:
  enum class stage {
    joining,
    holding,
    giving_back,  ///< revoked or lost, and not released yet
    gone
  };

  void join();
  void joined(result<place> at);
  void beat();
  void heard(const result<bool>& rebalancing);
  void give_back(port::group_event::kind how);
  void lose();
  void fail_for_good(failure why);
  void leave_now();
  void push(port::group_event event);
  void forget_member_id();
  port::milliseconds heartbeat_interval();

  port::member_options options_;
  port::wake readable_;
  stage at_ = stage::joining;
  place place_;
  std::shared_ptr<std::string> entered_as_ = std::make_shared<std::string>();  ///< set by the cluster while joining
  std::deque<port::group_event> events_;
  bool told_missing_ = false;
  std::uint64_t heartbeats_ = 0;  ///< tells the current series from older ones
  port::time_point polled_;
  port::time_point heard_;
  std::optional<port::reply<void>> leaving_;
};

}  // namespace flow::memory
