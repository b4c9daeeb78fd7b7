#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

/// Real Kafka clusters for tests. CTest starts them before the tests that say `FIXTURES_REQUIRED kafka` (home, tokyo,
/// oregon and dublin, of one broker each) or `FIXTURES_REQUIRED kafka_trio` (hub, of one, and trio, of three) and stops
/// them afterwards.
/// `FLOW_KAFKA_DIR`, folders separated by colons, names clusters that were started otherwise.
///
/// Whatever fails throws std::runtime_error with a sentence for the reader of the test's output. Every function may be
/// called on any thread.
namespace kafka_fixture {

inline constexpr int every_broker = 0;

/// `127.0.0.1:PORT`, one for each broker, separated by commas. A cluster that does not run is a failure, with the
/// command that starts it, and never a reason to skip.
std::string bootstrap(std::string_view cluster);

/// `name` with an ending of its own: tests share the clusters, and a long-lived cluster sees the same test again.
/// Fit for topics, groups and transactional ids.
std::string fresh_name(std::string_view name);

/// What was done to brokers, for as long as it lasts. A test that does this to a shared cluster holds the CTest
/// `RESOURCE_LOCK` of its fixture's name.
class [[nodiscard]] outage {
 public:
  outage(std::string_view cluster, int broker, std::string_view begin, std::string_view end);
  outage(outage&& other) noexcept;
  outage& operator=(outage&&) = delete;
  /// Ends the outage; a failure to do so is a failure of the test.
  ~outage();

  /// Brings the brokers back, on the same ports and storage. After a kill, returns when the cluster can be used.
  void end();

 private:
  std::vector<std::string> ending_;
};

/// `kill -9` of a broker, by its number from 1, or of the whole cluster. Returns when the processes are gone.
outage kill(std::string_view cluster, int broker = every_broker);

/// `SIGSTOP`: connections stay open and nobody answers. Returns when the processes have stopped.
outage pause(std::string_view cluster, int broker = every_broker);

/// Prints the end of each broker's log below a test that failed. `kafka_gtest_main` has it installed.
class print_broker_logs_on_failure : public testing::EmptyTestEventListener {
 public:
  void OnTestEnd(const testing::TestInfo& test) override;
};

}  // namespace kafka_fixture
