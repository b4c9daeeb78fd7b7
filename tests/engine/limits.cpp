#include <algorithm>

#include "scenario.hpp"

namespace flow::testing {
namespace {

/// Targets that may take so many bytes per second.
class limits : public scenario {
 protected:
  limits() { create("orders", 4); }

  void write_large(int count, std::size_t bytes) {
    for (int i = 0; i < count; ++i) write({"orders", i % 4}, {.value = std::string(bytes, 'x')});
  }
  std::size_t bytes_at(const std::string& target) {
    std::size_t sum = 0;
    for (const auto& partition : at(target, "orders"))
      for (const auto& each : partition) sum += each.size();
    return sum;
  }
  /// It never takes more than its rate, but for a tenth of a second's worth and a record, and never stands still.
  void takes_no_more_than(std::size_t per_second, const std::string& target) {
    const auto begin = world.wall_clock();
    const auto before = bytes_at(target);
    const auto is_complete = [&] {
      const auto passed = static_cast<double>(world.wall_clock() - begin) / 1000;
      const auto taken = static_cast<double>(bytes_at(target) - before);
      EXPECT_LE(taken, static_cast<double>(per_second) * (passed + 0.1) + 10'000) << passed << " s";
      EXPECT_GE(taken, static_cast<double>(per_second) * (passed - 1.5)) << passed << " s";
      return at(target, "orders") == written["orders"];
    };
    EXPECT_TRUE(eventually(is_complete, 100ms));
  }
};

TEST_F(limits, are_kept_by_what_is_behind) {
  options.catch_up_limit = 500'000;
  write_large(1000, 5'000);
  start("one");
  ASSERT_TRUE(eventually([&] { return working("one").ready; }, 1ms));
  EXPECT_EQ(working("one").limit, 500'000u);
  takes_no_more_than(500'000, "tokyo");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(limits, may_be_given_and_taken_back_while_it_runs) {
  start("one");
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  world.limit("one", "tokyo", 50'000);
  write_large(50, 10'000);
  takes_no_more_than(50'000, "tokyo");
  world.limit("one", "tokyo", 1);
  write_large(50, 10'000);
  world.advance(60s);
  EXPECT_NE(at("tokyo", "orders"), written["orders"]);
  world.limit("one", "tokyo", std::nullopt);
  ASSERT_TRUE(eventually([&] { return !working("one").limit.has_value(); }));
  EXPECT_TRUE(eventually([&] { return at("tokyo", "orders") == written["orders"]; }));
  EXPECT_TRUE(copied("orders"));
}

TEST_F(limits, hold_up_no_other_target) {
  targets = {"tokyo", "oregon"};
  start("one");
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  world.limit("one", "tokyo", 20'000);
  for (int i = 0; i < 100; ++i) {
    write({"orders", i % 4}, {.value = std::string(10'000, 'x')});
    const auto sent = world.wall_clock();
    ASSERT_TRUE(eventually([&] { return at("oregon", "orders") == written["orders"]; }, 1ms));
    EXPECT_LE(world.wall_clock() - sent, 50) << "record " << i;
  }
  EXPECT_LT(bytes_at("tokyo"), 200'000u);
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(world.status("one").nodes.at(0).received, 100u);
}

TEST_F(limits, outlast_a_crash_only_where_they_are_set) {
  options.catch_up_limit = 100'000;
  start("one");
  world.limit("one", "tokyo", std::nullopt);
  ASSERT_TRUE(eventually([&] { return ready("one") && !working("one").limit.has_value(); }));
  world.crash("one");
  start("one");
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  EXPECT_EQ(working("one").limit, 100'000u);
}

}  // namespace
}  // namespace flow::testing
