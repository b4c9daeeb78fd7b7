#include <gmock/gmock.h>

#include <stdexcept>
#include <string>

#include "administration.hpp"
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

/// Why a reader cannot be opened on such a cluster; empty if it can.
std::string reader_refused(std::map<std::string, std::string> properties, std::size_t buffer) {
  properties.emplace("bootstrap.servers", "127.0.0.1:1");
  const auto cluster = connect({"tokyo", std::move(properties), "test"}, std::make_shared<nobody>(), {});
  const auto reader = cluster->open_reader({.buffer = buffer}, [] {});
  reader->assign(0, {"orders", 0}, 0);
  fetched batch;
  return reader->poll(batch, 1) && !batch.failures.empty() ? to_string(batch.failures.front().why) : std::string{};
}

TEST(readers, open_with_any_buffer_and_any_size_of_record) {
  for (const std::size_t buffer : {std::size_t{1}, std::size_t{2} << 20, std::size_t{256} << 20}) {
    EXPECT_EQ(reader_refused({}, buffer), "") << buffer;
    EXPECT_EQ(reader_refused({{"message.max.bytes", "20000000"}}, buffer), "") << buffer;
  }
}

TEST(questions, are_asked_whatever_the_size_of_records) {
  const connection to{"tokyo", {{"bootstrap.servers", "127.0.0.1:1"}, {"message.max.bytes", "20000000"}}, "test"};
  administration asking{{to, std::make_shared<complaints>("tokyo", std::vector<std::string>{}, log_sink{}),
                         std::make_shared<closer>("tokyo")}};
  EXPECT_TRUE(asking.reading(port::isolation::read_committed));
  EXPECT_TRUE(asking.of_group("group"));
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

TEST(properties, that_do_not_exist_are_named_with_what_was_meant) {
  EXPECT_EQ(problems({{"linger.sm", "7"}}),
            "cluster tokyo: linger.sm is no property of librdkafka (did you mean linger.ms?)");
  EXPECT_EQ(problems({{"colour", "red"}}),
            "cluster tokyo: colour is no property of librdkafka (leave it out; librdkafka's CONFIGURATION.md names "
            "them all)");
}

TEST(properties, are_never_mistaken_for_one_that_is_not_the_users) {
  EXPECT_THAT(problems({{"group.ids", "mine"}}), Not(HasSubstr("did you mean group.id?")));
}

TEST(properties, that_only_a_program_can_set_do_not_exist) {
  EXPECT_THAT(problems({{"error_cb", "f"}}), HasSubstr("error_cb is no property of librdkafka"));
}

TEST(properties, of_java_clients_are_translated) {
  const std::map<std::string, std::string> translated{{"sasl.jaas.config", "sasl.password"},
                                                      {"ssl.truststore.location", "ssl.ca.location"},
                                                      {"ssl.truststore.password", "ssl.ca.location"},
                                                      {"ssl.truststore.type", "ssl.ca.location"},
                                                      {"ssl.keystore.type", "ssl.keystore.location"},
                                                      {"max.request.size", "message.max.bytes"},
                                                      {"buffer.memory", "queue.buffering.max.kbytes"}};
  for (const auto& [java, ours] : translated)
    EXPECT_THAT(problems({{java, "x"}}), AllOf(HasSubstr(java + " is a property of Java clients ("), HasSubstr(ours)));
}

TEST(properties, with_a_bad_value_are_named_without_it) {
  for (const char* name : {"security.protocol", "linger.ms", "partitioner", "ssl.endpoint.identification.algorithm"})
    EXPECT_THAT(problems({{name, "s3cret"}}), AllOf(HasSubstr(name), Not(HasSubstr("s3cret"))));
}

TEST(properties, with_a_bad_value_are_told_what_they_take) {
  EXPECT_EQ(problems({{"security.protocol", "tsl"}}),
            "cluster tokyo: security.protocol has a value that librdkafka does not take (write plaintext, ssl, "
            "sasl_plaintext or sasl_ssl)");
  EXPECT_THAT(problems({{"socket.keepalive.enable", "yes"}}), HasSubstr("(write true or false)"));
  EXPECT_THAT(problems({{"linger.ms", "900001"}}), HasSubstr("(write a number from 0 to 900000)"));
  EXPECT_THAT(problems({{"partitioner", "mine"}}), HasSubstr("(librdkafka's CONFIGURATION.md says what it takes)"));
}

TEST(properties, that_are_numbers_have_no_unit) {
  EXPECT_THAT(problems({{"linger.ms", "5s"}}), HasSubstr("(write a number from 0 to 900000)"));
  EXPECT_THAT(problems({{"linger.ms", "0.5"}, {"retry.backoff.ms", "100"}, {"compression.level", "-1"}}), IsEmpty());
}

TEST(properties, take_values_as_java_clients_spell_them) {
  EXPECT_THAT(problems({{"security.protocol", "SASL_SSL"}, {"compression.type", "ZSTD"}}), IsEmpty());
}

TEST(properties, are_all_complained_about_at_once) {
  EXPECT_THAT(problems({{"linger.sm", "7"}, {"group.id", "mine"}, {"security.protocol", "none"}}),
              AllOf(HasSubstr("linger.sm"), HasSubstr("group.id"), HasSubstr("security.protocol")));
}

TEST(properties, have_to_say_where_the_cluster_is) {
  EXPECT_THROW(connect({"tokyo", {}, "test"}, std::make_shared<nobody>(), {}), std::invalid_argument);
  EXPECT_NO_THROW(connect({"tokyo", {{"metadata.broker.list", "a:1"}}, "test"}, std::make_shared<nobody>(), {}));
}

TEST(properties, know_an_address) {
  for (const char* good : {"kafka", "kafka:9092", "a:1, b:2", "10.0.0.1:65535", "[::1]:9092", "SASL_SSL://a.b-c.d:1"})
    EXPECT_THAT(problems({{"bootstrap.servers", good}}), IsEmpty()) << good;
  for (const char* bad :
       {"", "a:", ":9092", "a:b", "a:0", "a:65536", "a:1,", "a:1;b:2", "a b:1", "a:1 b:2", "http://a:1/path"})
    EXPECT_THAT(problems({{"bootstrap.servers", bad}}), HasSubstr("bootstrap.servers has an address that is no host"))
        << bad;
}

}  // namespace
}  // namespace flow::kafka
