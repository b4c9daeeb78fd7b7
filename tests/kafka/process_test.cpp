#include <gmock/gmock.h>
#include <kafka_fixture.hpp>

#include <array>
#include <csignal>
#include <map>
#include <string>
#include <vector>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../app/world.hpp"
#include "client.hpp"

namespace flow {
namespace {

/// A `process_worker` that is killed when it goes.
class worker {
 public:
  explicit worker(std::vector<std::string> arguments) {
    std::array<int, 2> in{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0) throw std::runtime_error{"no pipe"};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    std::vector<char*> all{const_cast<char*>(PROCESS_WORKER)};
    for (auto& each : arguments) all.push_back(each.data());
    all.push_back(nullptr);
    const int failed = ::posix_spawn(&process_, PROCESS_WORKER, &actions, nullptr, all.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    ::close(in[0]);
    to_ = in[1];
    if (failed) throw std::runtime_error{"no process"};
  }
  worker(const worker&) = delete;
  ~worker() {
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
    ::close(to_);
  }

 private:
  pid_t process_ = 0;
  int to_ = -1;
};

/// Records of three keys in two partitions, which a process numbers.
class process_on_kafka : public ::testing::Test {
 protected:
  process_on_kafka() { plain::create_topic(home_, source_, 2); }

  void write(int count) {
    plain::producer to{{{"bootstrap.servers", home_}}};
    const auto handle = to.topic(source_);
    for (; count > 0; --count) {
      const auto partition = written_ % 2;
      const auto key = std::string(1, static_cast<char>('a' + written_ % 3)) + std::to_string(partition);
      const auto value = std::to_string(written_++);
      to.send(handle.get(), {.partition = partition, .key = key, .value = value});
      expected_[static_cast<std::size_t>(partition)].push_back(value + " is " + std::to_string(++totals_[key]));
    }
    to.flush(30s);
  }

  /// What a `read_committed` reader finds in a partition of what comes out.
  std::vector<std::string> made(std::int32_t partition) const {
    const auto reader = plain::make_reader(tokyo_, "read_committed",
                                           {{"enable.partition.eof", "true"}, {"auto.offset.reset", "earliest"}});
    const plain::owned<rd_kafka_topic_partition_list_t> where{rd_kafka_topic_partition_list_new(1)};
    rd_kafka_topic_partition_list_add(where.get(), (source_ + "-numbered").c_str(), partition)->offset =
        RD_KAFKA_OFFSET_BEGINNING;
    plain::check(rd_kafka_assign(reader.get(), where.get()), "assign");
    for (std::vector<std::string> all;;) {
      const plain::owned<rd_kafka_message_t> message{rd_kafka_consumer_poll(reader.get(), 30'000)};
      if (!message || message->err) return all;
      all.emplace_back(static_cast<const char*>(message->payload), message->len);
    }
  }
  /// All that was numbered, and all that was called.
  std::pair<contents, std::map<std::string, int>> outcome() const {
    std::pair<contents, std::map<std::string, int>> found{contents(2), {}};
    for (const std::int32_t p : {0, 1})
      for (auto& each : made(p)) {
        if (each.find(" has ") == std::string::npos)
          found.first[static_cast<std::size_t>(p)].push_back(std::move(each));
        else
          ++found.second[each];
      }
    return found;
  }

  std::size_t numbered() const {
    const auto found = outcome().first;
    return found[0].size() + found[1].size();
  }

  std::vector<std::string> arguments(const std::string& state, const std::string& instance) const {
    return {name_, source_, home_, tokyo_, state, instance};
  }

  const std::string home_ = kafka_fixture::bootstrap("home");
  const std::string tokyo_ = kafka_fixture::bootstrap("tokyo");
  const std::string name_ = kafka_fixture::fresh_name("process");
  const std::string source_ = kafka_fixture::fresh_name("readings");
  contents expected_ = contents(2);
  std::map<std::string, int> totals_;
  int written_ = 0;
};

TEST_F(process_on_kafka, counts_every_record_and_every_call_once_under_kill_9) {
  for (int round = 0; round < 6; ++round) {
    // Another worker each second time, which finds nothing on its disk.
    const scratch_directory directory;
    const worker running{arguments(directory.path(), round % 2 == 0 ? "one" : "two")};
    const auto before = numbered();
    write(200);
    const bool to_the_end = round % 3 == 2;
    ASSERT_TRUE(eventually([&] { return to_the_end ? outcome().first == expected_ : numbered() > before; }, 90s))
        << "round " << round;
  }
  const scratch_directory directory;
  const worker running{arguments(directory.path(), "one")};
  write(20);
  EXPECT_TRUE(eventually([&] { return outcome().first == expected_; }, 90s));
  std::map<std::string, int> last;
  for (const auto& [key, total] : totals_) last.emplace(key + " has " + std::to_string(total), 1);
  EXPECT_TRUE(eventually(
      [&] {
        const auto called = outcome().second;
        return std::ranges::all_of(last, [&](const auto& each) { return called.contains(each.first); });
      },
      60s));
  const auto [found, called] = outcome();
  EXPECT_EQ(found, expected_);
  for (const auto& [what, times] : called) EXPECT_EQ(times, 1) << what;
}

}  // namespace
}  // namespace flow
