#include "scenario.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "simulation.hpp"

namespace flow::testing {
namespace {

using ::testing::Each;
using ::testing::SizeIs;

/// Orders that somebody outside is asked about; every target gets the answers.
class asked : public scenario {
 protected:
  asked() {
    create("orders", 2);
    world.destination("score", [this](const delivery& what) { return says(what); });
  }

  topology scored(policy on_failure = retry(forever, {10ms, 500ms}), delivery_options how = {}) const {
    topology t{"sync"};
    t.from(topic<std::string, std::string>{"orders"}) |
        async_map(
            "score", [](const std::string& order) { return "scored " + order; }, how)
            .on_failure(on_failure) |
        fan_out("regions", targets);
    return t;
  }

  /// Numbered records of different keys, so many into each partition.
  void write(int count) {
    for (int i = 0; i < count; ++i)
      for (std::int32_t p = 0; p < 2; ++p) {
        const auto number = orders[static_cast<std::size_t>(p)]++;
        world.write("home", "orders", p,
                    {.key = std::string(1, static_cast<char>('a' + number % 3)), .value = std::to_string(number)});
      }
  }

  /// What every target has to hold: an answer to each order, in the order of its partition.
  AssertionResult answered(const std::string& what = "answer to ") {
    contents all;
    for (const auto count : orders) {
      values expected;
      for (int i = 0; i < count; ++i) expected.push_back(what + std::to_string(i));
      all.push_back(std::move(expected));
    }
    for (const auto& target : targets)
      if (!eventually([&] { return at(target, "score") == all; }))
        return ::testing::AssertionFailure() << target << " has " << ::testing::PrintToString(at(target, "score"));
    world.advance(3s);
    for (const auto& target : targets)
      if (at(target, "score") != all)
        return ::testing::AssertionFailure()
               << target << " got more: " << ::testing::PrintToString(at(target, "score"));
    return ::testing::AssertionSuccess();
  }

  std::function<std::optional<receipt>(const delivery&)> says = [](const delivery& what) {
    return receipt::answered("answer to " + what.value.str());
  };
  std::vector<int> orders = std::vector<int>(2, 0);
};

TEST_F(asked, its_function_makes_what_every_target_gets) {
  topology t{"sync"};
  t.from(topic<std::string, std::string>{"orders"}) |
      async_map("lengths", [](const std::string& key,
                              const std::string& order) { return static_cast<std::int64_t>((key + order).size()); }) |
      map([](std::int64_t length) { return std::to_string(length); }) | to("out", {.cluster = "tokyo"});
  world.write("home", "orders", 0, {.key = "key", .value = "value", .timestamp = 1234, .headers = {{"h", "1"}}});
  start("one", t);
  ASSERT_TRUE(eventually([&] { return at("tokyo", "out") == contents{{"8"}, {}}; }));
  const auto made = world.read("tokyo", "out")[0][0];
  EXPECT_EQ(made.key, "key");
  EXPECT_EQ(made.timestamp, 1234);
  EXPECT_EQ(made.headers, (decltype(made.headers){{"h", "1"}}));
}

TEST_F(asked, answers_have_the_order_of_their_partition_however_they_come) {
  world.destination("score", says, 200ms);
  targets = {"tokyo", "oregon"};
  start("one", scored());
  start("two", scored());
  write(50);
  EXPECT_TRUE(answered());
}

TEST_F(asked, one_question_is_asked_for_all_targets) {
  targets = {"tokyo", "oregon", "dublin"};
  start("one", scored());
  write(20);
  EXPECT_TRUE(answered());
  EXPECT_THAT(world.arrivals("score"), SizeIs(40));
}

TEST_F(asked, a_crash_asks_again_and_every_answer_is_there_once) {
  targets = {"tokyo", "oregon"};
  // An answer that is never the same twice would show where two of them got through.
  std::map<std::string, int> times;
  std::set<std::string> given;
  says = [&](const delivery& what) {
    const auto answer = "answer to " + what.value.str();
    ++times[std::string{what.idempotency_key}];
    return receipt::answered(answer);
  };
  for (const auto step : {"begun", "sent", "offsets sent", "committed", "stored"})
    for (const int nth : {1, 4}) {
      start("one", scored());
      world.crash_at("one", step, nth);
      write(5);
      ASSERT_TRUE(eventually([&] { return !world.is_running("one"); })) << step;
    }
  start("two", scored());
  EXPECT_TRUE(answered());
  EXPECT_TRUE(std::ranges::any_of(times, [](const auto& each) { return each.second > 1; }));
}

TEST_F(asked, several_answers_of_one_record_come_in_its_order) {
  targets = {"tokyo"};
  world.destination("score", says, 200ms);
  topology t{"sync"};
  t.from(topic<std::string, std::string>{"orders"}) | flat_map([](const std::string& order) {
    std::vector<keyed<std::string, std::string>> parts;
    for (int i = 0; i < 5; ++i) parts.push_back({std::to_string(i), order + "." + std::to_string(i)});
    return parts;
  }) | async_map("score", [](const std::string& order) { return order; }) |
      to("out", {.cluster = "tokyo", .partition = kept});
  for (int i = 0; i < 10; ++i) world.write("home", "orders", 0, {.key = "k", .value = std::to_string(i)});
  start("one", t);
  values expected;
  for (int i = 0; i < 50; ++i) expected.push_back("answer to " + std::to_string(i / 5) + "." + std::to_string(i % 5));
  EXPECT_TRUE(eventually([&] {
    return at("tokyo", "out") == contents{expected, {}};
  })) << ::testing::PrintToString(at("tokyo", "out"));
}

TEST_F(asked, null_is_an_answer) {
  topology t{"sync"};
  t.from(topic<std::string, std::string>{"orders"}) |
      async_map("lookup", [](const std::string&) { return std::optional<std::string>{}; }) |
      map([](const std::optional<std::string>& found) { return found.value_or("nothing"); }) |
      to("out", {.cluster = "tokyo"});
  world.write("home", "orders", 1, {.key = "k", .value = "v"});
  start("one", t);
  EXPECT_TRUE(eventually([&] { return at("tokyo", "out") == contents{{}, {"nothing"}}; }));
}

TEST_F(asked, what_is_permanent_is_dead_lettered_as_it_was_read_and_the_others_go_on) {
  targets = {"tokyo"};
  says = [](const delivery& what) {
    return what.value == "3" ? receipt::permanent("no such order") : receipt::answered("answer to " + what.value.str());
  };
  start("one", scored(dead_letter("{topic}.dlq")));
  write(5);
  const values without{"answer to 0", "answer to 1", "answer to 2", "answer to 4"};
  EXPECT_TRUE(eventually([&] { return at("tokyo", "score") == contents{without, without}; }));
  EXPECT_TRUE(eventually([&] { return at("home", "orders.dlq") == contents{{"3"}, {"3"}}; }));
}

TEST_F(asked, an_answer_that_cannot_be_written_goes_by_the_policy) {
  targets = {"tokyo"};
  says = [](const delivery& what) {
    const auto text = what.value == "3" ? std::string(2'000'000, 'x') : "answer to " + what.value.str();
    return receipt::answered(text);
  };
  start("one", scored(retry(3, {10ms, 500ms}).then(dead_letter("{topic}.dlq"))));
  write(5);
  const values without{"answer to 0", "answer to 1", "answer to 2", "answer to 4"};
  EXPECT_TRUE(eventually([&] { return at("tokyo", "score") == contents{without, without}; }));
  EXPECT_TRUE(eventually([&] { return at("home", "orders.dlq") == contents{{"3"}, {"3"}}; }));
  EXPECT_THAT(world.arrivals("score"), SizeIs(10));
  EXPECT_TRUE(said("its answer: the record of about 2000"));
}

TEST_F(asked, an_answer_that_cannot_be_written_stops_its_partition_unless_told_otherwise) {
  targets = {"tokyo"};
  says = [](const delivery& what) {
    const auto text = what.value == "1" ? std::string(2'000'000, 'x') : "answer to " + what.value.str();
    return receipt::answered(text);
  };
  start("one", scored());
  write(3);
  EXPECT_TRUE(eventually([&] { return at("tokyo", "score") == contents{{"answer to 0"}, {"answer to 0"}}; }));
  EXPECT_THAT(stops(orders_0, "one", "home").why, HasSubstr("its answer: the record of about 2000"));
}

TEST_F(asked, what_stays_unanswered_is_asked_again_after_its_time) {
  targets = {"tokyo"};
  int silent = 3;
  says = [&](const delivery& what) -> std::optional<receipt> {
    if (what.value == "0" && silent-- > 0) return std::nullopt;
    return receipt::answered("answer to " + what.value.str());
  };
  start("one", scored(retry(forever, {10ms, 500ms}), {.timeout = 2s}));
  write(3);
  EXPECT_TRUE(eventually([&] { return said("has not been answered within 2000 ms"); }));
  EXPECT_TRUE(answered());
}

TEST_F(asked, an_answer_that_comes_late_is_not_counted_twice) {
  targets = {"tokyo"};
  world.destination(
      "score", [this](const delivery& what) { return says(what); }, 400ms);
  start("one", scored(retry(forever, {10ms, 20ms}), {.timeout = 300ms}));
  write(30);
  EXPECT_TRUE(answered());
  EXPECT_GT(world.arrivals("score").size(), 60u);
}

}  // namespace
}  // namespace flow::testing
