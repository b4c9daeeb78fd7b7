#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <set>

#include "world.hpp"

namespace flow {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// The lanes of one target, over all workers that share them.
std::vector<std::int32_t> lanes_of(const app_status& now) {
  std::vector<std::int32_t> all;
  for (const auto& worker : now.workers)
    if (!worker.targets.empty()) std::ranges::copy(worker.targets[0].lanes, std::back_inserter(all));
  std::ranges::sort(all);
  return all;
}

std::multiset<std::string> thread_names() {
  std::multiset<std::string> names;
  for (const auto& each : std::filesystem::directory_iterator{"/proc/self/task"}) {
    std::ifstream file{each.path() / "comm"};
    std::string name;
    if (std::getline(file, name)) names.insert(name);
  }
  return names;
}

std::string own_name() {
  char name[16] = {};
  pthread_getname_np(pthread_self(), name, sizeof name);
  return name;
}

TEST(threads, share_the_lanes_and_keep_each_partition_in_order) {
  world w{6};
  auto options = w.options();
  options.threads = 3;
  app all{copies(), options};
  ASSERT_TRUE(all.start());
  w.write_many(1200);
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
  // Whoever comes late has lanes once those before it have given some up.
  const auto has_two = [](const worker_status& worker) {
    return !worker.targets.empty() && worker.targets[0].lanes.size() == 2;
  };
  EXPECT_TRUE(eventually([&] {
    const auto now = all.status();
    return now.ready() && now.workers.size() == 3 && std::ranges::all_of(now.workers, has_two) &&
           lanes_of(now) == std::vector<std::int32_t>{0, 1, 2, 3, 4, 5};
  }));
}

TEST(threads, are_named_after_what_they_do) {
  world w{2};
  auto options = w.options();
  options.threads = 2;
  {
    app both{copies(), options};
    ASSERT_TRUE(both.start());
    EXPECT_TRUE(eventually([] { return thread_names().count("flow-0") == 1 && thread_names().count("flow-1") == 1; }));
    EXPECT_THAT(thread_names(), Not(Contains("flow-2")));
  }
  EXPECT_THAT(thread_names(), Not(Contains("flow-0"))) << "a thread has outlived its app";
  EXPECT_THAT(thread_names(), Not(Contains("flow-1"))) << "a thread has outlived its app";
}

TEST(threads, of_the_workers_are_the_only_ones_that_call_the_operators_and_on_change) {
  world w{6};
  std::mutex mutex;
  std::set<std::string> called_by, told_by;
  topology t{"copies"};
  t.from(topic<bytes, bytes>{"orders"}) | peek([&](bytes) {
    const std::lock_guard lock{mutex};
    called_by.insert(own_name());
  }) | fan_out("regions", {"tokyo"});
  auto options = w.options();
  options.threads = 2;
  app both{t, options};
  both.on_change([&](const app_status&) { told_by.insert(own_name()); });
  ASSERT_TRUE(both.start());
  ASSERT_TRUE(eventually([&] {
    const auto now = both.status();
    return now.ready() && !now.workers[0].targets[0].lanes.empty() && !now.workers[1].targets[0].lanes.empty();
  }));
  w.write_many(60);
  ASSERT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
  ASSERT_TRUE(both.stop(10s));
  EXPECT_THAT(called_by, ElementsAre("flow-0", "flow-1"));
  EXPECT_THAT(told_by, ElementsAre("flow-0", "flow-1"));
}

TEST(apps, of_two_topologies_run_side_by_side) {
  world w{3};
  w.write_many(30);
  const scratch_directory first_directory, second_directory;
  topology t{"backwards"};
  t.from(topic<bytes, std::string>{"orders"}) |
      map([](std::string_view value) { return std::string(value.rbegin(), value.rend()); }) |
      fan_out("regions", {"tokyo"}, {.rename = "backwards"});
  auto backwards = w.written;
  for (auto& partition : backwards)
    for (auto& value : partition) std::ranges::reverse(value);
  auto first_options = w.options(), second_options = w.options();
  first_options.state = first_directory.path();
  second_options.state = second_directory.path();
  app first{copies(), first_options}, second{t, second_options};
  ASSERT_TRUE(first.start());
  ASSERT_TRUE(second.start());
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
  EXPECT_TRUE(eventually([&] { return w.values("tokyo", "backwards") == backwards; }));
  EXPECT_TRUE(first.stop(10s));
  w.write_many(3);
  EXPECT_TRUE(eventually([&] { return w.values("tokyo", "backwards").at(0).size() == 11; }));
}

TEST(apps, of_one_topology_share_the_work_and_take_over_from_each_other) {
  world w{6};
  app first{copies(), w.options("one")};
  std::optional<app> second{std::in_place, copies(), w.options("two")};
  ASSERT_TRUE(first.start());
  ASSERT_TRUE(second->start());
  EXPECT_TRUE(eventually([&] {
    return first.status().ready() && second->status().ready() && lanes_of(first.status()).size() == 3 &&
           lanes_of(second->status()).size() == 3;
  }));
  w.write_many(60);
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
  second.reset();
  w.write_many(60);
  EXPECT_TRUE(eventually([&] { return lanes_of(first.status()).size() == 6 && w.values("tokyo") == w.written; }));
}

TEST(apps, of_one_state_directory_are_refused_with_a_sentence) {
  world w;
  const scratch_directory directory;
  auto options = w.options("one");
  options.state = directory.path();
  app first{copies(), options};
  options.instance = "two";
  app second{copies(), options};
  ASSERT_TRUE(first.start());
  const auto started = second.start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().kind, failure_kind::refused);
  EXPECT_THAT(started.error().text,
              HasSubstr("the state directory '" + directory.path().string() + "' is already open in this process"));
  EXPECT_THAT(started.error().remedy, HasSubstr("state directory"));
  w.write("one");
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
}

TEST(apps, leave_the_signals_of_their_process_alone) {
  struct handling {
    void (*handler)(int);
    int flags;
    bool blocked;
    bool operator==(const handling&) const = default;
  };
  const auto all = [] {
    std::vector<handling> found;
    sigset_t blocked;
    pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
    for (int number = 1; number < NSIG; ++number) {
      struct sigaction now {};
      if (sigaction(number, nullptr, &now) == 0)
        found.push_back({now.sa_handler, now.sa_flags, sigismember(&blocked, number) == 1});
    }
    return found;
  };
  world w;
  w.write("one");
  const scratch_directory directory;
  auto options = w.options();
  options.state = directory.path();
  const auto before = all();
  {
    app one{copies(), options};
    ASSERT_TRUE(one.start());
    ASSERT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
    EXPECT_EQ(all(), before) << "while it runs";
  }
  EXPECT_EQ(all(), before) << "after it has stopped";
}

}  // namespace
}  // namespace flow
