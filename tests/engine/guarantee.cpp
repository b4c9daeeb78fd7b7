#include <algorithm>
#include <set>

#include "scenario.hpp"

namespace flow::testing {
namespace {

using exactly_once = scenario;

// However long a transaction may last: with little to do it ends at once.
TEST_F(exactly_once, shows_a_record_to_readers_as_soon_as_nothing_else_waits) {
  options.commit_every = 5s;
  create("orders");
  start("one");
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  for (int i = 0; i < 20; ++i) {
    write("orders");
    EXPECT_TRUE(world.run_until([&] { return at("tokyo", "orders") == written["orders"]; }, 30ms));
    world.advance(777ms);
  }
}

class at_least_once : public scenario {
 protected:
  at_least_once() {
    options.promised = guarantee::at_least_once;
    create("orders", 4);
    write("orders", 3);
  }
  /// What is there when each record is counted where it first stands.
  contents without_repetitions() {
    auto all = at("tokyo", "orders");
    for (auto& partition : all) {
      std::set<std::string> known;
      std::erase_if(partition, [&](const auto& each) { return !known.insert(each).second; });
    }
    return all;
  }
};

TEST_F(at_least_once, brings_everything_in_order_and_once_if_nothing_fails) {
  start("one");
  start("two");
  ASSERT_TRUE(copied("orders"));
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
  stop("one");
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
}

class at_least_once_with_a_crash_at : public at_least_once, public ::testing::WithParamInterface<std::string_view> {};
INSTANTIATE_TEST_SUITE_P(step, at_least_once_with_a_crash_at, ::testing::ValuesIn(steps), [](const auto& each) {
  std::string name{each.param};
  std::ranges::replace(name, ' ', '_');
  return name;
});

TEST_P(at_least_once_with_a_crash_at, loses_nothing_and_keeps_the_order) {
  start("one");
  world.crash_at("one", GetParam());
  ASSERT_TRUE(world.run_until([&] { return !world.is_running("one"); })) << "never passed";
  write("orders", 3);
  start("one");
  EXPECT_TRUE(eventually([&] { return without_repetitions() == written["orders"]; }));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(at_least_once, may_repeat_what_was_sent_before_a_crash) {
  start("one");
  ASSERT_TRUE(copied("orders"));
  write(orders_0);
  world.crash_at("one", "sent");
  ASSERT_TRUE(world.run_until([&] { return !world.is_running("one"); }));
  EXPECT_TRUE(copied("orders"));
  start("one");
  written["orders"][0].push_back(written["orders"][0].back());
  EXPECT_TRUE(copied("orders"));
}

TEST_F(at_least_once, is_still_fenced_by_the_group) {
  start("one");
  start("two");
  ASSERT_TRUE(copied("orders"));
  world.freeze("one");
  ASSERT_TRUE(eventually([&] { return working("two").lanes.size() == 4; }));
  write("orders", 3);
  ASSERT_TRUE(copied("orders"));
  world.thaw("one");
  write("orders", 3);
  EXPECT_TRUE(eventually([&] { return without_repetitions() == written["orders"]; }));
}

}  // namespace
}  // namespace flow::testing
