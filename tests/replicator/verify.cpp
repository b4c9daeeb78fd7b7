// `replicator verify` as its users call it, beside real clusters.

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>
#include <kafka_fixture.hpp>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <vector>

#include "client.hpp"

namespace replicator {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

struct outcome {
  int code;
  std::string text;
};

class verify : public ::testing::Test {
 protected:
  verify() {
    std::filesystem::create_directories(folder_);
    plain::create_topic(home_, topic_, 2);
    for (int i = 0; i < 20; ++i) values_.push_back(std::to_string(i));
    write(home_, topic_, values_);
    configure(tokyo_);
    std::ofstream{folder_ + "/secret"} << "hunter2";
  }
  ~verify() override {
    if (running_ > 0) stop();
    std::filesystem::remove_all(folder_);
  }

  void configure(const std::string& tokyo) const {
    std::ofstream{folder_ + "/sync.yaml"}
        << "application: " << application_ << "\nhome: home\ntargets: [tokyo]\nlanes: 2\nclusters:\n"
        << "  home: {bootstrap.servers: \"" << home_ << "\"}\n"
        << "  tokyo: {bootstrap.servers: \"" << tokyo << "\", client.rack: \"${file:" << folder_ << "/secret}\"}\n"
        << "state: " << folder_ << "/state\ntopics: {include: [" << topic_ << "]}\n";
  }
  /// By turns to both partitions.
  void write(const std::string& brokers, const std::string& topic, const std::vector<std::string>& values) const {
    plain::producer to{{{"bootstrap.servers", brokers}}};
    const auto handle = to.topic(topic);
    for (std::size_t i = 0; i < values.size(); ++i) write(to, handle.get(), values[i], static_cast<int32_t>(i % 2));
    to.flush(30s);
  }
  static void write(plain::producer& to, rd_kafka_topic_t* topic, const std::string& value, int32_t partition) {
    to.send(topic, {.partition = partition, .key = "k", .value = value, .timestamp = 1'700'000'000'000});
  }
  void start() {
    running_ = fork();
    if (running_ > 0) return;
    std::freopen("/dev/null", "w", stderr);
    execl(REPLICATOR, REPLICATOR, "run", "--config", (folder_ + "/sync.yaml").c_str(), nullptr);
    _exit(127);
  }
  int stop() {
    int status = 0;
    ::kill(std::exchange(running_, 0), SIGTERM);
    waitpid(-1, &status, 0);
    return WEXITSTATUS(status);
  }

  outcome verified(const std::string& flags = "") const {
    const auto command = std::string{REPLICATOR} + " verify --config " + folder_ + "/sync.yaml " + flags + " 2>&1";
    FILE* pipe = popen(command.c_str(), "r");
    std::string text;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text += static_cast<char>(c);
    return {WEXITSTATUS(pclose(pipe)), text};
  }
  /// What is said of tokyo's first partition once it is filled with this in place of its ten records, and of nothing
  /// else.
  std::string said_of(const std::vector<std::string>& even) const {
    plain::create_topic(tokyo_, topic_, 2);
    plain::producer to{{{"bootstrap.servers", tokyo_}}};
    const auto handle = to.topic(topic_);
    for (const auto& value : even) write(to, handle.get(), value, 0);
    for (std::size_t i = 1; i < values_.size(); i += 2) write(to, handle.get(), values_[i], 1);
    to.flush(30s);
    const auto found = verified();
    EXPECT_EQ(found.code, 3) << found.text;
    EXPECT_THAT(found.text, HasSubstr("NOT verified: 2 partitions, of which 1 differs"));
    EXPECT_THAT(found.text, HasSubstr("tokyo: " + topic_ + "/0: "));
    return found.text;
  }

  const std::string home_ = kafka_fixture::bootstrap("home"), tokyo_ = kafka_fixture::bootstrap("tokyo");
  const std::string application_ = kafka_fixture::fresh_name("sync"), topic_ = kafka_fixture::fresh_name("orders");
  const std::string folder_ = std::filesystem::temp_directory_path() / application_;
  std::vector<std::string> values_;
  pid_t running_ = 0;
};

TEST_F(verify, is_content_with_what_was_replicated) {
  auto found = verified();
  EXPECT_EQ(found.code, 0);
  EXPECT_THAT(found.text, HasSubstr("; 20 records not written yet\n"));

  start();
  const auto limit = plain::clock::now() + 60s;
  do found = verified();  // beside the running program, and in no state of it anything differs
  while (found.code == 0 && found.text.find("not written yet") != std::string::npos && plain::clock::now() < limit);
  EXPECT_EQ(found.code, 0) << found.text;
  EXPECT_THAT(found.text, ContainsRegex("tokyo: " + topic_ + "/0: 10 records, digest [0-9a-f]+\n"));
  EXPECT_THAT(found.text, ContainsRegex("tokyo: " + topic_ + "/1: 10 records, digest [0-9a-f]+\n"));
  EXPECT_THAT(found.text, HasSubstr("\nverified: 2 partitions\n"));
  EXPECT_THAT(found.text, Not(HasSubstr("hunter2")));
  EXPECT_EQ(stop(), 0);
  EXPECT_EQ(verified().text, found.text);

  write(tokyo_, topic_, {"strange"});
  found = verified();
  EXPECT_EQ(found.code, 3);
  EXPECT_THAT(found.text, ContainsRegex("/0: 11 records, .*\n  differs: offset [0-9]+ is no record that belongs there\n"
                                        "  expected 10 records"));
}

TEST_F(verify, names_a_record_that_is_missing) {
  EXPECT_THAT(said_of({"0", "2", "6", "8", "10", "12", "14", "16", "18"}),
              HasSubstr("differs: offset 2 of " + topic_ + "/0 is missing, before offset 2\n"));
}

TEST_F(verify, names_a_record_that_is_there_twice) {
  EXPECT_THAT(said_of({"0", "2", "4", "4", "6", "8", "10", "12", "14", "16", "18"}),
              HasSubstr("differs: offset 3 is offset 2 of " + topic_ + "/0 once more\n"));
}

TEST_F(verify, names_records_that_have_changed_places) {
  EXPECT_THAT(said_of({"0", "2", "6", "4", "8", "10", "12", "14", "16", "18"}),
              HasSubstr("differs: offset 2 is offset 3 of " + topic_ + "/0, which comes too early\n"));
}

TEST_F(verify, names_a_record_with_another_value) {
  EXPECT_THAT(said_of({"0", "2", "four", "6", "8", "10", "12", "14", "16", "18"}),
              HasSubstr("differs: offset 2 is offset 2 of " + topic_ + "/0 with another value\n"));
}

TEST_F(verify, asks_only_the_cluster_that_is_named) {
  const auto wrong = verified("--on tokio");
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.text, HasSubstr("--on: error: nothing is written to tokio (did you mean tokyo?)"));
  EXPECT_EQ(verified("--on tokyo").code, 0);
}

TEST_F(verify, says_what_cannot_be_reached) {
  configure("127.0.0.1:1");
  const auto found = verified();
  EXPECT_EQ(found.code, 1) << found.text;
  EXPECT_THAT(found.text, HasSubstr("error: "));
  EXPECT_THAT(found.text, HasSubstr("tokyo"));
}

}  // namespace
}  // namespace replicator
