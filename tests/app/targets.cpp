#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "world.hpp"

namespace flow {
namespace {

using testing::HasSubstr;

/// Every worker says so.
bool all_paused(const std::string& cluster, const app_status& now) {
  return std::ranges::all_of(now.workers, [&](const auto& worker) {
    return std::ranges::any_of(worker.targets,
                               [&](const auto& each) { return each.cluster == cluster && each.paused; });
  });
}

TEST(targets, are_paused_and_resumed_in_all_workers_while_the_others_go_on) {
  world w{6};
  auto options = w.options();
  options.threads = 2;
  app one{copies({"tokyo", "oregon"}), options};
  ASSERT_TRUE(one.start());
  w.write_many(60);
  ASSERT_TRUE(eventually([&] { return w.values("tokyo") == w.written && one.status().ready(); }));
  ASSERT_TRUE(one.pause("tokyo"));
  ASSERT_TRUE(eventually([&] { return all_paused("tokyo", one.status()); }));
  const auto before = w.values("tokyo");
  w.write_many(60);
  ASSERT_TRUE(eventually([&] { return w.values("oregon") == w.written; }));
  EXPECT_EQ(w.values("tokyo"), before);
  EXPECT_TRUE(one.status().ready());
  ASSERT_TRUE(one.resume("tokyo"));
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written && !all_paused("tokyo", one.status()); }));
}

TEST(targets, that_were_paused_before_the_start_begin_when_they_are_resumed) {
  world w;
  w.write_many(10);
  app one{copies({"tokyo", "oregon"}), w.options()};
  ASSERT_TRUE(one.pause("tokyo"));
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return w.values("oregon") == w.written && one.status().ready(); }));
  EXPECT_EQ(w.count("tokyo"), 0u);
  ASSERT_TRUE(one.resume("tokyo"));
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
}

TEST(targets, that_there_are_not_are_refused_with_those_that_there_are) {
  world w;
  app one{copies({"tokyo", "oregon"}), w.options()};
  for (const auto& told : {one.pause("osaka"), one.resume("home"), one.pause("tokyo", "crm")}) {
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().kind, failure_kind::refused);
    EXPECT_THAT(told.error().text, HasSubstr("nothing is written to"));
    EXPECT_THAT(told.error().remedy, HasSubstr("oregon, tokyo"));
  }
}

TEST(targets, may_be_told_of_from_any_thread_and_from_on_change) {
  world w{6};
  auto options = w.options();
  options.threads = 3;
  app one{copies({"tokyo", "oregon"}), options};
  std::atomic<int> told = 0;
  one.on_change([&](const app_status& now) {
    if (all_paused("tokyo", now) && one.resume("tokyo")) ++told;
  });
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(one.pause("tokyo"));
  EXPECT_TRUE(eventually([&] { return told > 0; }));
  std::vector<std::thread> threads;
  for (const auto* each : {"tokyo", "oregon"})
    threads.emplace_back([&one, each] {
      for (int i = 0; i < 20; ++i) one.pause(each), one.resume(each);
    });
  w.write_many(60);
  for (auto& each : threads) each.join();
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written && w.values("oregon") == w.written; }));
  EXPECT_TRUE(one.stop(10s));
  EXPECT_TRUE(one.pause("tokyo")) << "it is a target all the same";
}

}  // namespace
}  // namespace flow
