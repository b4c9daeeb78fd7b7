#include "scheduler.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <future>

namespace flow::memory {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;

TEST(event_queue, runs_work_in_the_order_of_time_and_ties_in_the_order_given) {
  event_queue time{1};
  std::vector<int> order;
  time.after(2ms, [&] { order.push_back(3); });
  time.after(1ms, [&] { order.push_back(1); });
  time.after(1ms, [&] { order.push_back(2); });
  while (time.run_next()) continue;
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST(event_queue, moves_its_clocks_only_with_the_work) {
  event_queue time{1, 5000};
  const auto start = time.now();
  time.after(70ms, [] {});
  EXPECT_EQ(time.now(), start);
  EXPECT_EQ(time.next(), start + 70ms);
  EXPECT_TRUE(time.run_next());
  EXPECT_EQ(time.now(), start + 70ms);
  EXPECT_EQ(time.wall_clock(), 5070);
  EXPECT_FALSE(time.run_next());
}

TEST(event_queue, advances_past_work_that_makes_more_work) {
  event_queue time{1};
  int runs = 0;
  std::function<void()> again = [&] {
    ++runs;
    time.after(10ms, again);
  };
  time.after(10ms, again);
  time.advance(35ms);
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(time.now().time_since_epoch(), 35ms);
}

TEST(event_queue, rolls_the_same_dice_for_the_same_seed) {
  event_queue one{7}, same{7}, other{8};
  const auto rolled = one.random();
  EXPECT_EQ(rolled, same.random());
  EXPECT_NE(rolled, other.random());
  EXPECT_NE(rolled, one.random());
}

TEST(real_scheduler, runs_work_on_its_own_thread_in_order) {
  real_scheduler time;
  std::promise<std::vector<int>> done;
  std::vector<int> order;
  std::thread::id thread;
  time.after(20ms, [&] {
    order.push_back(2);
    thread = std::this_thread::get_id();
    done.set_value(order);
  });
  time.after(1ms, [&] { order.push_back(1); });
  EXPECT_THAT(done.get_future().get(), ElementsAre(1, 2));
  EXPECT_NE(thread, std::this_thread::get_id());
}

// What arrives over one connection at the same moment arrives in the order in which it was sent, however long ago.
TEST(real_scheduler, keeps_the_order_of_what_is_due_at_one_moment) {
  constexpr int count = 1000;
  real_scheduler time;
  std::promise<void> done;
  std::vector<int> order;
  const auto when = time.now() + 50ms;
  for (int i = 0; i < count; ++i)
    time.at(when, [&, i] {
      order.push_back(i);
      if (i + 1 == count) done.set_value();
    });
  done.get_future().get();
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST(real_scheduler, drops_what_is_not_due_when_it_ends) {
  bool ran = false;
  {
    real_scheduler time;
    time.after(1h, [&] { ran = true; });
  }
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace flow::memory
