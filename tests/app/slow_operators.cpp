#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "world.hpp"

namespace flow {
namespace {

using testing::Lt;

/// Copies to tokyo, and takes `each` over a record.
topology slow_copies(std::atomic<int>& calls, std::chrono::milliseconds each) {
  topology t{"copies"};
  t.from(topic<bytes, bytes>{"orders"}) | peek("think", [&calls, each](bytes) {
    ++calls;
    std::this_thread::sleep_for(each);
  }) | fan_out("regions", {"tokyo"});
  return t;
}

TEST(slow_operators, do_not_keep_what_is_through_from_being_committed) {
  world w;
  w.write_many(3000);
  std::atomic<int> calls{0};
  app one{slow_copies(calls, 5ms), w.options()};
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return w.count("tokyo") > 0; }));
  EXPECT_THAT(calls.load(), Lt(1500));
}

TEST(slow_operators, are_waited_for_by_a_stop_for_one_record_only) {
  world w;
  w.write_many(500);
  std::atomic<int> calls{0};
  app one{slow_copies(calls, 50ms), w.options()};
  ASSERT_TRUE(one.start());
  ASSERT_TRUE(eventually([&] { return calls > 0; }));
  one.stop(0ms);
  const int by_then = calls;
  EXPECT_THAT(by_then, Lt(250));
}

TEST(slow_operators, lose_and_repeat_nothing_over_a_stop) {
  world w;
  w.write_many(100);
  std::atomic<int> calls{0};
  {
    app one{slow_copies(calls, 5ms), w.options()};
    ASSERT_TRUE(one.start());
    ASSERT_TRUE(eventually([&] { return calls > 20; }));
    EXPECT_TRUE(one.stop(10s));
  }
  app two{slow_copies(calls, 0ms), w.options()};
  ASSERT_TRUE(two.start());
  EXPECT_TRUE(eventually([&] { return w.values("tokyo") == w.written; }));
}

}  // namespace
}  // namespace flow
