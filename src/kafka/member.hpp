#pragma once

#include <memory>
#include <optional>

#include <flow/ports.hpp>

#include "client.hpp"
#include "letters.hpp"

namespace flow::kafka {

/// A member of a consumer group that reads nothing: it answers an assignment with an empty one. librdkafka tells what
/// the group has assigned, not what the consumer reads, when it revokes; so heartbeats and revocations go on as ever,
/// and not a single fetch, offset query or partition comes of it.
class kafka_member : public port::member {
 public:
  static result<std::unique_ptr<kafka_member>> join(const context& in, std::shared_ptr<port::mailbox> mailbox,
                                                    port::member_options options, port::wake readable);
  ~kafka_member() override;

  std::optional<port::group_event> poll() override;
  void release() override;
  void leave(port::reply<void> done) override;

 private:
  enum class stage { staying, unsubscribed, closing, gone };

  kafka_member(std::shared_ptr<client> connected, letters replies, port::member_options options, port::wake readable);
  std::optional<port::group_event> event_of(rd_kafka_event_t* what);
  std::optional<port::group_event> rebalanced(rd_kafka_event_t* what);
  std::optional<port::group_event> assigned(std::vector<std::int32_t> partitions);
  std::optional<port::group_event> failed(rd_kafka_resp_err_t code, const char* text);
  port::membership captured() const;
  void go_on_leaving();

  const port::member_options options_;
  const port::wake readable_;
  const std::shared_ptr<client> client_;
  const queue_ptr queue_;
  letters replies_;
  bool releasing_ = false;  ///< lanes are being given back
  bool ended_ = false;      ///< a fatal failure was reported
  port::membership as_;     ///< under which it owns
  bool owns_ = false;       ///< the group has assigned something, be it nothing
  stage stage_ = stage::staying;
  port::time_point leave_until_{};
  port::reply<void> left_;
  std::optional<port::group_event> held_;  ///< a failure that came while lanes were being given back
};

/// What `rd_kafka_consumer_group_metadata_write` has written, which is the only way to see a generation.
port::membership parse_membership(std::string_view written);

}  // namespace flow::kafka
