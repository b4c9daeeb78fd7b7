#include <gmock/gmock.h>

#include <stdexcept>
#include <string>

#include "cluster.hpp"

namespace flow::kafka {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class nobody : public port::mailbox {
 public:
  void post(std::function<void()>) override {}
};

/// What `connect` has to say about these properties; nothing if it takes them.
std::string problems(std::map<std::string, std::string> properties) {
  properties.emplace("bootstrap.servers", "127.0.0.1:1");
  try {
    connect({"tokyo", std::move(properties), "test"}, std::make_shared<nobody>(), {});
    return {};
  } catch (const std::invalid_argument& refused) {
    return refused.what();
  }
}

TEST(properties, of_the_client_are_taken) {
  EXPECT_THAT(problems({}), IsEmpty());
  EXPECT_THAT(problems({{"linger.ms", "7"}, {"fetch.min.bytes", "1"}, {"security.protocol", "ssl"}}), IsEmpty());
}

TEST(properties, that_the_protocol_needs_are_refused_with_a_reason) {
  for (const char* name :
       {"isolation.level", "enable.auto.commit", "auto.commit.enable", "enable.auto.offset.store", "auto.offset.reset",
        "enable.partition.eof", "transactional.id", "transaction.timeout.ms", "enable.idempotence", "acks",
        "request.required.acks", "message.timeout.ms", "delivery.timeout.ms", "partition.assignment.strategy",
        "group.id", "group.instance.id", "session.timeout.ms", "max.poll.interval.ms", "allow.auto.create.topics"})
    EXPECT_THAT(problems({{name, "1"}}), AllOf(HasSubstr("tokyo"), HasSubstr(name), HasSubstr("not yours to set")));
}

TEST(properties, that_do_not_exist_are_named) {
  EXPECT_THAT(problems({{"linger.sm", "7"}}), AllOf(HasSubstr("linger.sm"), HasSubstr("no such property")));
}

TEST(properties, with_a_bad_value_are_named_without_it) {
  EXPECT_THAT(problems({{"security.protocol", "s3cret"}}),
              AllOf(HasSubstr("security.protocol"), Not(HasSubstr("s3cret"))));
}

TEST(properties, are_all_complained_about_at_once) {
  EXPECT_THAT(problems({{"linger.sm", "7"}, {"group.id", "mine"}, {"security.protocol", "none"}}),
              AllOf(HasSubstr("linger.sm"), HasSubstr("group.id"), HasSubstr("security.protocol")));
}

TEST(properties, have_to_say_where_the_cluster_is) {
  EXPECT_THROW(connect({"tokyo", {}, "test"}, std::make_shared<nobody>(), {}), std::invalid_argument);
}

}  // namespace
}  // namespace flow::kafka
