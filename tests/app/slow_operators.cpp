#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "world.hpp"

namespace flow {
namespace {

using testing::Lt;

/// Copies orders to tokyo by an operator that takes its time over each.
class slow_operators : public testing::Test {
 protected:
  app taking(std::chrono::milliseconds each, std::chrono::milliseconds commit_every = 100ms) {
    topology t{"copies"};
    t.from(topic<bytes, bytes>{"orders"}) | peek("think", [this, each](bytes) {
      ++calls;
      // This is what it takes, and nothing is waited for.
      std::this_thread::sleep_for(each);
    }) | fan_out("regions", {"tokyo"});
    auto options = w.options();
    options.commit_every = commit_every;
    return app{t, options};
  }
  /// Starts it with so many orders to copy, and returns when it has thought about some.
  void begin(app& one, int orders) {
    w.write_many(orders);
    ASSERT_TRUE(one.start());
    ASSERT_TRUE(eventually([&] { return calls > 5; }));
  }

  world w;
  std::atomic<int> calls{0};
};

TEST_F(slow_operators, do_not_keep_what_is_through_from_being_committed) {
  app one = taking(5ms);
  begin(one, 3000);
  ASSERT_TRUE(eventually([&] { return w.count("tokyo") > 0; }));
  EXPECT_THAT(calls.load(), Lt(1500));
}

TEST_F(slow_operators, have_what_is_through_committed_as_often_as_is_asked) {
  const auto commits_with = [&](std::chrono::milliseconds commit_every) {
    app one = taking(1ms, commit_every);
    const auto before = w.count("tokyo");
    begin(one, 1000);
    EXPECT_TRUE(eventually([&] { return w.count("tokyo") == before + 1000; }));
    const auto commits = target_named("tokyo", one.status()).commits;
    EXPECT_TRUE(one.stop(10s));
    return commits;
  };
  // How often that is in numbers is a matter of who else uses the machine.
  const auto often = commits_with(20ms), seldom = commits_with(1s);
  EXPECT_LT(seldom, often);
}

TEST_F(slow_operators, are_waited_for_by_a_stop_for_one_record_only) {
  app one = taking(50ms);
  begin(one, 500);
  one.stop(0ms);
  EXPECT_THAT(calls.load(), Lt(250));
}

TEST_F(slow_operators, lose_and_repeat_nothing_over_a_stop) {
  app one = taking(5ms);
  begin(one, 100);
  EXPECT_TRUE(one.stop(10s));
  app two = taking(0ms);
  ASSERT_TRUE(two.start());
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
}

}  // namespace
}  // namespace flow
