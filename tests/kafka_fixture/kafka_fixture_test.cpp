#include "kafka_fixture.hpp"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <sys/socket.h>
#include <unistd.h>

#include <sstream>
#include <stdexcept>

namespace {

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

TEST(kafka_fixture, refuses_a_broker_that_the_cluster_does_not_have) {
  EXPECT_THROW(kafka_fixture::kill("trio", 9).end(), std::runtime_error);
}

}  // namespace
