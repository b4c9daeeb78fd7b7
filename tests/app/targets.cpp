#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include <flow/app_settings.hpp>

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

TEST(targets, take_no_more_than_they_may_and_the_others_as_much_as_there_is) {
  world w;
  app one{copies({"tokyo", "oregon"}), w.options()};
  ASSERT_TRUE(one.limit("tokyo", 1));
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return one.status().ready(); }));
  EXPECT_EQ(target_named("tokyo", one.status()).limit, 1u);
  for (int i = 0; i < 3; ++i) w.write(std::string(1000, 'x'));
  ASSERT_TRUE(eventually([&] { return w.values("oregon") == w.written && w.count("tokyo") == 1; }));
  EXPECT_EQ(w.count("tokyo"), 1u) << "the next one may come in 1000 s";
  ASSERT_TRUE(one.limit("tokyo", std::nullopt));
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
}

TEST(targets, share_their_limit_among_the_workers) {
  world w{6};
  auto options = w.options();
  options.threads = 2;
  options.catch_up_limit = 1000;
  app one{copies(), options};
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return one.status().ready(); }));
  for (const auto& worker : one.status().workers) EXPECT_EQ(worker.targets[0].limit, 500u) << worker.instance;
}

TEST(targets, are_limited_by_the_settings_of_a_program) {
  app_settings settings;
  settings.application = "copies";
  EXPECT_EQ(settings.options().catch_up_limit, std::nullopt);
  settings.catch_up_limit = byte_rate{20'000'000};
  EXPECT_EQ(settings.options().catch_up_limit, 20'000'000u);
}

TEST(targets, that_would_take_nothing_are_refused) {
  world w;
  app one{copies(), w.options()};
  const auto told = one.limit("tokyo", 0);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().kind, failure_kind::refused);
  EXPECT_THAT(told.error().remedy, HasSubstr("pause"));
}

TEST(targets, are_removed_and_added_in_all_workers) {
  world w{6};
  auto options = w.options();
  options.threads = 2;
  app one{copies({"tokyo", "oregon"}), options};
  ASSERT_TRUE(one.remove("tokyo"));
  ASSERT_TRUE(one.start());
  w.write_many(60);
  ASSERT_TRUE(eventually([&] { return w.values("oregon") == w.written && one.status().ready(); }));
  EXPECT_EQ(w.count("tokyo"), 0u);
  EXPECT_TRUE(target_named("tokyo", one.status()).removed);
  ASSERT_TRUE(one.add("tokyo", beginning));
  ASSERT_TRUE(eventually([&] { return w.values("tokyo") == w.written && one.status().ready(); }));
  ASSERT_TRUE(one.remove("tokyo"));
  w.write_many(60);
  ASSERT_TRUE(one.add("tokyo", end));
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; })) << "it has positions, and goes on there";
}

TEST(targets, are_removed_and_added_only_by_turns) {
  world w;
  app one{copies({"tokyo", "oregon"}), w.options()};
  const auto refused = [](const result<void>& told, const std::string& text) {
    return !told && told.error().kind == failure_kind::refused && told.error().text.find(text) != std::string::npos &&
           !told.error().remedy.empty();
  };
  EXPECT_TRUE(refused(one.add("tokyo", beginning), "tokyo is not removed"));
  EXPECT_TRUE(refused(one.remove("osaka"), "nothing is written to osaka"));
  EXPECT_TRUE(refused(one.add("osaka", beginning), "nothing is written to osaka"));
  ASSERT_TRUE(one.remove("tokyo"));
  EXPECT_TRUE(refused(one.remove("tokyo"), "tokyo is removed already"));
  EXPECT_TRUE(refused(one.add("tokyo", place_of{"osaka"}), "nothing is written to osaka"));
  EXPECT_TRUE(refused(one.add("tokyo", place_of{"tokyo"}), "tokyo cannot begin where it is itself"));
  EXPECT_TRUE(one.add("tokyo", place_of{"oregon"}));
}

TEST(targets, that_there_are_not_are_refused_with_those_that_there_are) {
  world w;
  app one{copies({"tokyo", "oregon"}), w.options()};
  for (const auto& told : {one.pause("osaka"), one.resume("home"), one.pause("tokyo", "crm"), one.limit("osaka", 1)}) {
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
