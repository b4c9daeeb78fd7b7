#include "failures.hpp"

#include <gmock/gmock.h>

namespace flow::kafka {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(client_errors, mean_one_thing_to_the_engine) {
  const std::pair<rd_kafka_resp_err_t, failure_kind> meanings[] = {
      {RD_KAFKA_RESP_ERR__TRANSPORT, failure_kind::retriable},
      {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, failure_kind::retriable},
      {RD_KAFKA_RESP_ERR_NOT_COORDINATOR, failure_kind::retriable},
      {RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS, failure_kind::retriable},
      {RD_KAFKA_RESP_ERR__TIMED_OUT, failure_kind::timed_out},
      {RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT, failure_kind::timed_out},
      {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, failure_kind::fenced},
      {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, failure_kind::fenced},
      {RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, failure_kind::fenced_member},
      {RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID, failure_kind::lost_member},
      {RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, failure_kind::lost_member},
      {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, failure_kind::rejected},
      {RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP, failure_kind::rejected},
      {RD_KAFKA_RESP_ERR_INVALID_RECORD, failure_kind::rejected},
      {RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, failure_kind::out_of_range},
      {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, failure_kind::out_of_range},
      {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, failure_kind::missing},
      {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, failure_kind::missing},
      {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, failure_kind::denied},
      {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, failure_kind::denied},
      {RD_KAFKA_RESP_ERR__BAD_MSG, failure_kind::corrupt},
      {RD_KAFKA_RESP_ERR__FATAL, failure_kind::fatal},
  };
  for (const auto& [code, kind] : meanings) EXPECT_EQ(kind_of(code), kind) << rd_kafka_err2name(code);
}

TEST(client_errors, say_what_was_done_to_whom_and_what_helps) {
  const failure why = failure_of(RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "orders/3 on tokyo");
  EXPECT_THAT(why.text, HasSubstr("orders/3 on tokyo"));
  EXPECT_THAT(why.remedy, HasSubstr("max.message.bytes"));
  EXPECT_THAT(failure_of(RD_KAFKA_RESP_ERR__TRANSPORT, "commit on tokyo").remedy, Not(IsEmpty()));
}

TEST(client_errors, are_tried_again_only_if_the_world_may_heal) {
  EXPECT_TRUE(heals(failure_kind::retriable));
  EXPECT_TRUE(heals(failure_kind::timed_out));
  for (const auto kind : {failure_kind::fenced, failure_kind::rejected, failure_kind::missing, failure_kind::denied,
                          failure_kind::fatal, failure_kind::out_of_range, failure_kind::lost_member})
    EXPECT_FALSE(heals(kind));
}

}  // namespace
}  // namespace flow::kafka
