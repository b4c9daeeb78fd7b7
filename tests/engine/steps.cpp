#include <algorithm>
#include <span>
#include <tuple>

#include "scenario.hpp"

namespace flow::testing {
namespace {

using ::testing::Combine;
using ::testing::Values;
using ::testing::ValuesIn;

constexpr std::span<const std::string_view> all_steps{steps};
// Everything but taking over, which nothing but a start or a lost member brings about.
constexpr auto steps_of_a_transaction = all_steps.subspan(1);

std::string words(std::string_view step) {
  std::string name{step};
  std::ranges::replace(name, ' ', '_');
  return name;
}

std::string processes(int count) { return count == 1 ? "with_one_process" : "with_two_processes"; }

/// Four partitions, so that each of two processes has some to copy, to two targets.
class several_processes : public scenario {
 protected:
  several_processes() {
    targets = {"tokyo", "oregon"};
    create("orders", 4);
    write("orders", 3);
  }
  void start(int count) {
    scenario::start("one");
    if (count > 1) scenario::start("two");
  }
  /// Writes until something has happened.
  bool eventually_amid_records(const std::function<bool()>& happened) {
    return eventually([&] { return write("orders"), happened(); }, 100ms);
  }
  /// It ends there and nowhere else: a step that is never passed proves nothing.
  void crashes(const std::string& instance, std::string_view step) {
    world.crash_at(instance, step);
    EXPECT_TRUE(eventually_amid_records([&] { return !world.is_running(instance); })) << "never passed: " << step;
    EXPECT_FALSE(world.ended(instance));
  }
};

using one_crash = std::tuple<std::string_view, int>;
std::string name_of(const ::testing::TestParamInfo<one_crash>& each) {
  const auto& [step, count] = each.param;
  return words(step) + "_" + processes(count);
}

class a_crash_at_the_first : public several_processes, public ::testing::WithParamInterface<one_crash> {};
INSTANTIATE_TEST_SUITE_P(step, a_crash_at_the_first, Combine(ValuesIn(all_steps), Values(1, 2)), name_of);

TEST_P(a_crash_at_the_first, loses_and_repeats_nothing) {
  const auto [step, count] = GetParam();
  start(count);
  crashes("one", step);
  write("orders", 3);
  scenario::start("one");
  EXPECT_TRUE(copied("orders"));
}

class a_crash_amid_records_at : public several_processes, public ::testing::WithParamInterface<one_crash> {};
INSTANTIATE_TEST_SUITE_P(step, a_crash_amid_records_at, Combine(ValuesIn(steps_of_a_transaction), Values(1, 2)),
                         name_of);

TEST_P(a_crash_amid_records_at, loses_and_repeats_nothing) {
  const auto [step, count] = GetParam();
  start(count);
  ASSERT_TRUE(copied("orders"));
  crashes("one", step);
  write("orders", 3);
  scenario::start("one");
  EXPECT_TRUE(copied("orders"));
}

class a_crash_that_nobody_repairs_at : public several_processes,
                                       public ::testing::WithParamInterface<std::string_view> {};
INSTANTIATE_TEST_SUITE_P(step, a_crash_that_nobody_repairs_at, ValuesIn(all_steps),
                         [](const auto& each) { return words(each.param); });

TEST_P(a_crash_that_nobody_repairs_at, leaves_the_lanes_to_the_other_process) {
  start(2);
  crashes("one", GetParam());
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(working("two").lanes.size(), 4u);
}

using two_crashes = std::tuple<std::string_view, std::string_view>;
std::string name_of_both(const ::testing::TestParamInfo<two_crashes>& each) {
  const auto& [first, second] = each.param;
  return words(first) + "_then_" + words(second);
}

class crashes_in_pairs : public several_processes, public ::testing::WithParamInterface<two_crashes> {};
INSTANTIATE_TEST_SUITE_P(steps, crashes_in_pairs, Combine(ValuesIn(all_steps), ValuesIn(all_steps)), name_of_both);

TEST_P(crashes_in_pairs, of_one_process_lose_and_repeat_nothing) {
  const auto [first, second] = GetParam();
  start(1);
  crashes("one", first);
  scenario::start("one");
  crashes("one", second);
  scenario::start("one");
  EXPECT_TRUE(copied("orders"));
}

TEST_P(crashes_in_pairs, of_a_process_and_the_one_that_takes_over_lose_and_repeat_nothing) {
  const auto [first, second] = GetParam();
  start(2);
  crashes("one", first);
  crashes("two", second);
  start(2);
  EXPECT_TRUE(copied("orders"));
}

class a_process_that_was_thought_dead_at : public several_processes,
                                           public ::testing::WithParamInterface<std::string_view> {
 protected:
  void freezes() {
    world.freeze_at("one", GetParam());
    EXPECT_TRUE(eventually_amid_records([&] { return world.is_frozen("one"); })) << "never passed: " << GetParam();
  }
  void freezes_until_the_other_has_its_lanes() {
    start(2);
    freezes();
    const auto has_all_lanes = [&](const auto& target) { return working("two", target).lanes.size() == 4; };
    EXPECT_TRUE(eventually_amid_records([&] { return std::ranges::all_of(targets, has_all_lanes); }));
  }
};
INSTANTIATE_TEST_SUITE_P(step, a_process_that_was_thought_dead_at, ValuesIn(all_steps),
                         [](const auto& each) { return words(each.param); });

// What it had open is still open: nobody's timeout has passed yet but that of its session.
TEST_P(a_process_that_was_thought_dead_at, repeats_nothing_when_it_comes_back_at_once) {
  freezes_until_the_other_has_its_lanes();
  world.thaw("one");
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one") && ready("two"));
}

TEST_P(a_process_that_was_thought_dead_at, repeats_nothing_when_it_comes_back_late) {
  freezes_until_the_other_has_its_lanes();
  ASSERT_TRUE(copied("orders"));
  world.thaw("one");
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one") && ready("two"));
}

TEST_P(a_process_that_was_thought_dead_at, goes_on_if_nobody_took_its_place) {
  start(1);
  freezes();
  write("orders", 3);
  world.advance(60s);
  world.thaw("one");
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
}

}  // namespace
}  // namespace flow::testing
