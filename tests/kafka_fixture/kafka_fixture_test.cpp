#include "kafka_fixture.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <librdkafka/rdkafka.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <optional>
#include <sstream>
#include <stdexcept>

namespace {

template <auto Destroy>
struct destroyed_by {
  template <class Handle>
  void operator()(Handle* handle) const {
    Destroy(handle);
  }
};

using client = std::unique_ptr<rd_kafka_t, destroyed_by<rd_kafka_destroy>>;
using queue = std::unique_ptr<rd_kafka_queue_t, destroyed_by<rd_kafka_queue_destroy>>;
using event = std::unique_ptr<rd_kafka_event_t, destroyed_by<rd_kafka_event_destroy>>;
using resource = std::unique_ptr<rd_kafka_ConfigResource_t, destroyed_by<rd_kafka_ConfigResource_destroy>>;
using new_topic = std::unique_ptr<rd_kafka_NewTopic_t, destroyed_by<rd_kafka_NewTopic_destroy>>;
using metadata = std::unique_ptr<const rd_kafka_metadata_t, destroyed_by<rd_kafka_metadata_destroy>>;

constexpr int call_limit_ms = 20'000;

client client_of(std::string_view cluster) {
  std::array<char, 512> problem{};
  rd_kafka_conf_t* configuration = rd_kafka_conf_new();
  rd_kafka_conf_set(configuration, "bootstrap.servers", kafka_fixture::bootstrap(cluster).c_str(), problem.data(),
                    problem.size());
  return client{rd_kafka_new(RD_KAFKA_PRODUCER, configuration, problem.data(), problem.size())};
}

/// A topic that leaves everything but its partitions to the cluster.
std::string fresh_topic(rd_kafka_t* by) {
  const std::string name = kafka_fixture::fresh_name("fixture");
  const new_topic topic{rd_kafka_NewTopic_new(name.c_str(), 3, -1, nullptr, 0)};
  const queue answers{rd_kafka_queue_new(by)};
  rd_kafka_NewTopic_t* one = topic.get();
  rd_kafka_CreateTopics(by, &one, 1, nullptr, answers.get());
  const event answer{rd_kafka_queue_poll(answers.get(), call_limit_ms)};
  if (!answer || rd_kafka_event_error(answer.get())) throw std::runtime_error("cannot create " + name);
  return name;
}

/// How many copies there are of the topic's partition that has the fewest, if the broker that answers knows it.
std::optional<int> copies(rd_kafka_t* by, const std::string& name) {
  const rd_kafka_metadata_t* raw = nullptr;
  if (rd_kafka_metadata(by, 1, nullptr, &raw, call_limit_ms)) return std::nullopt;
  const metadata all{raw};
  auto* const end = all->topics + all->topic_cnt;
  const auto* topic = std::find_if(all->topics, end, [&](auto& each) { return each.topic == name; });
  if (topic == end || topic->err || topic->partition_cnt == 0) return std::nullopt;
  const auto* fewest = std::min_element(topic->partitions, topic->partitions + topic->partition_cnt,
                                        [](auto& a, auto& b) { return a.replica_cnt < b.replica_cnt; });
  return fewest->replica_cnt;
}

/// A setting of a topic, if the broker that answers knows it.
std::optional<std::string> setting(rd_kafka_t* by, const std::string& topic, std::string_view name) {
  const resource asked{rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str())};
  const queue answers{rd_kafka_queue_new(by)};
  rd_kafka_ConfigResource_t* one = asked.get();
  rd_kafka_DescribeConfigs(by, &one, 1, nullptr, answers.get());
  const event answer{rd_kafka_queue_poll(answers.get(), call_limit_ms)};
  const auto* result = answer ? rd_kafka_event_DescribeConfigs_result(answer.get()) : nullptr;
  std::size_t count = 0;
  const auto* described = result ? rd_kafka_DescribeConfigs_result_resources(result, &count) : nullptr;
  const auto* entries = count == 1 ? rd_kafka_ConfigResource_configs(described[0], &count) : nullptr;
  for (std::size_t i = 0; entries && i < count; ++i)
    if (rd_kafka_ConfigEntry_name(entries[i]) == name) return rd_kafka_ConfigEntry_value(entries[i]);
  return std::nullopt;
}

/// A new topic is not known to all brokers at once.
template <class Question>
auto once_known(Question question) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(call_limit_ms);
  auto answer = question();
  while (!answer && std::chrono::steady_clock::now() < deadline) answer = question();
  return answer;
}

std::string second_broker() {
  std::istringstream all(kafka_fixture::bootstrap("trio"));
  std::string address;
  std::getline(all, address, ',');
  std::getline(all, address, ',');
  return address;
}

bool accepts_connections(const std::string& address) {
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  name.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
  const int handle = socket(AF_INET, SOCK_STREAM, 0);
  const bool accepted = connect(handle, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0;
  close(handle);
  return accepted;
}

TEST(kafka_fixture, names_the_command_that_starts_a_missing_cluster) {
  try {
    kafka_fixture::bootstrap("atlantis");
    FAIL() << "found a cluster that nobody started";
  } catch (const std::runtime_error& problem) {
    EXPECT_THAT(problem.what(), testing::HasSubstr("atlantis does not run"));
    EXPECT_THAT(problem.what(), testing::HasSubstr("start it with: ctest"));
  }
}

TEST(kafka_fixture, gives_no_name_twice) {
  EXPECT_NE(kafka_fixture::fresh_name("orders"), kafka_fixture::fresh_name("orders"));
}

TEST(kafka_fixture, a_killed_broker_is_back_on_its_port_when_the_outage_ends) {
  const auto address = second_broker();
  ASSERT_TRUE(accepts_connections(address));
  auto down = kafka_fixture::kill("trio", 2);
  EXPECT_FALSE(accepts_connections(address));
  down.end();
  EXPECT_TRUE(accepts_connections(address));
}

TEST(kafka_fixture, a_paused_cluster_is_resumed_at_the_end_of_the_scope) {
  { const auto silent = kafka_fixture::pause("trio"); }
  // A kill ends with a produce and a consume on all three brokers.
  kafka_fixture::kill("trio", 1).end();
}

TEST(kafka_fixture, three_brokers_keep_three_copies_of_everything_and_demand_that_two_are_in_step) {
  const client by = client_of("trio");
  for (const std::string& topic : {fresh_topic(by.get()), std::string("__transaction_state"),
                                   std::string("__consumer_offsets")}) {
    EXPECT_EQ(once_known([&] { return copies(by.get(), topic); }), 3) << topic;
    EXPECT_EQ(once_known([&] { return setting(by.get(), topic, "min.insync.replicas"); }), "2") << topic;
  }
}

TEST(kafka_fixture, refuses_a_broker_that_the_cluster_does_not_have) {
  EXPECT_THROW(kafka_fixture::kill("trio", 9).end(), std::runtime_error);
}

}  // namespace
