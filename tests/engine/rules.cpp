#include <flow/json.hpp>
#include <flow/rules.hpp>

#include "scenario.hpp"

namespace flow::testing {
namespace {

using ::testing::ElementsAre;

/// An application whose rules are changed, which is a restart.
class rules_that_change : public scenario {
 protected:
  rules_that_change() {
    targets = {"tokyo", "oregon"};
    create("events");
  }

  topology by(const rules& all) const {
    topology t{"sync"};
    const auto ways = t.from(topic<bytes, bytes>{"events"}) | split("events", all);
    ways[0] | fan_out("regions", targets);
    for (std::size_t i = 1; i < ways.size(); ++i) ways[i] | fan_out(all.ways()[i], targets, {.rename = all.ways()[i]});
    return t;
  }
  void write_kinds(const std::string& kinds) {
    for (const char kind : kinds) {
      const auto number = std::to_string(written["events"][0].size());
      write(topic_partition{"events", 0},
            {.key = "k", .value = R"({"kind": ")" + std::string{kind} + R"(", "n": )" + number + "}"});
    }
  }
  /// The numbers of the events of a topic.
  std::vector<std::string> numbers(const std::string& cluster, const std::string& topic) {
    std::vector<std::string> all;
    for (const auto& partition : at(cluster, topic))
      for (const auto& value : partition)
        all.push_back(value.substr(value.rfind(' ') + 1, value.size() - value.rfind(' ') - 2));
    return all;
  }

  const rules first = rules{}.include("a", json::at("/kind") == "a");
  const rules then = rules{}.route("archive", json::at("/kind") == "a").include("b", json::at("/kind") == "b");
};

TEST_F(rules_that_change, are_in_force_from_the_position_of_each_region) {
  start("one", by(first));
  write_kinds("abc");
  ASSERT_TRUE(eventually([&] { return numbers("oregon", "events") == std::vector<std::string>{"0"}; }));
  world.cut("oregon");
  write_kinds("abc");
  ASSERT_TRUE(eventually([&] { return numbers("tokyo", "events").size() == 2; }));
  world.crash("one");
  world.heal("oregon");
  start("one", by(then));
  write_kinds("abc");
  EXPECT_TRUE(
      eventually([&] { return numbers("tokyo", "archive").size() == 1 && numbers("oregon", "archive").size() == 2; }));
  world.advance(30s);
  EXPECT_THAT(numbers("tokyo", "events"), ElementsAre("0", "3", "7"));
  EXPECT_THAT(numbers("tokyo", "archive"), ElementsAre("6"));
  EXPECT_THAT(numbers("oregon", "events"), ElementsAre("0", "4", "7"));
  EXPECT_THAT(numbers("oregon", "archive"), ElementsAre("3", "6"));
}

TEST_F(rules_that_change, have_the_next_record_within_a_second) {
  start("one", by(first));
  write_kinds("a");
  ASSERT_TRUE(eventually([&] { return numbers("tokyo", "events").size() == 1; }));
  stop("one");
  start("one", by(then));
  write_kinds("b");
  EXPECT_TRUE(world.run_until([&] { return numbers("tokyo", "events").size() == 2; }, 1s));
}

TEST_F(rules_that_change, are_counted_in_the_status_by_who_has_decided) {
  start("one", by(then));
  write_kinds("abbcccc");
  ASSERT_TRUE(
      eventually([&] { return numbers("tokyo", "events").size() == 2 && numbers("oregon", "events").size() == 2; }));
  EXPECT_TRUE(eventually([&] { return world.status("one").nodes[1].received == 7; }));
  EXPECT_THAT(world.status("one").nodes[1].decided, ElementsAre(1, 2, 0, 4));
}

/// An application whose dedup goes by another place than before, which is a restart too.
class dedup_that_changes : public scenario {
 protected:
  dedup_that_changes() { create("orders"); }

  topology by(const std::string& pointer) const {
    topology t{"sync"};
    t.from(topic<bytes, bytes>{"orders"}) | dedup("seen", json::at(pointer), 1h) | fan_out("regions", targets);
    return t;
  }
};

TEST_F(dedup_that_changes, holds_ids_of_one_place_against_none_of_another) {
  const std::string first = R"({"order": "1", "customer": "2"})", second = R"({"order": "2", "customer": "1"})",
                    again = R"({"order": "3", "customer": "2"})";
  const auto given = [&](const std::string& value) {
    world.write("home", "orders", 0, {.key = "k", .value = value, .timestamp = world.wall_clock()});
  };
  given(first);
  start("one", by("/order"));
  EXPECT_TRUE(eventually([&] { return at("tokyo", "orders") == contents{{first}}; }));
  stop("one");
  given(second), given(again), given(first);
  start("one", by("/customer"));
  EXPECT_TRUE(eventually([&] { return world.status("one").nodes.at(1).dropped == 2; }));
  EXPECT_EQ(at("tokyo", "orders"), (contents{{first, second}}));
}

}  // namespace
}  // namespace flow::testing
