#include "scenario.hpp"

namespace flow::testing {
namespace {

/// Clusters that are not what their names say, and those that cannot be reached.
class cluster : public scenario {
 protected:
  cluster() {
    create("orders", 2);
    write("orders", 3);
  }
  void expect_only_orders_1_to_go_on() {
    write(orders_1, 2);
    EXPECT_TRUE(eventually([&] { return at(targets.front(), "elsewhere") == written["orders"]; }));
  }
  topology naming_topics(policy on_failure = flow::stop) const {
    topology t{"sync"};
    t.from(topic<bytes, std::string>{"orders"}) |
        to([](const std::string& value) { return value.starts_with("back") ? "orders" : "elsewhere"; },
           {.cluster = targets.front()})
            .on_failure(on_failure);
    return t;
  }
  void expect_said_once(const std::string& text) {
    EXPECT_TRUE(eventually([&] { return said(text); })) << text;
    EXPECT_EQ(std::ranges::count_if(world.log(), [&](const auto& line) { return line.find(text) != line.npos; }), 1);
  }
};

TEST_F(cluster, that_is_home_by_another_name_gets_nothing_that_would_be_read_again) {
  world.add_name("home", "tokyo");
  start("one");
  const auto why = ends("one");
  EXPECT_EQ(why.kind, failure_kind::refused);
  EXPECT_EQ(why.text,
            "tokyo is the home cluster home by another name, and what 'regions' writes to orders there would be read "
            "again");
  EXPECT_THAT(why.remedy, HasSubstr("take tokyo out of the targets"));
  EXPECT_EQ(at("home", "orders"), written["orders"]);
  EXPECT_TRUE(at("home", "sync.home.lanes.internal").empty());
}

TEST_F(cluster, that_is_home_by_another_name_gets_what_is_not_read) {
  world.add_name("home", "tokyo");
  start("one", copies({"orders"}, {.rename = "{topic}.copy"}));
  EXPECT_TRUE(eventually([&] { return at("tokyo", "orders.copy") == written["orders"]; }));
  EXPECT_TRUE(ready("one"));
}

TEST_F(cluster, that_is_home_by_another_name_is_found_out_while_the_others_go_on) {
  targets = {"tokyo", "oregon"};
  world.add_name("home", "tokyo");
  start("one");
  EXPECT_TRUE(eventually([&] { return at("oregon", "orders") == written["orders"]; }));
  ASSERT_TRUE(working("one", "tokyo").trouble);
  EXPECT_THAT(working("one", "tokyo").trouble->text, HasSubstr("is the home cluster home by another name"));
  EXPECT_FALSE(ready("one"));
}

TEST_F(cluster, that_is_home_by_another_name_refuses_a_record_that_names_what_is_read) {
  world.add_name("home", "tokyo");
  start("one", naming_topics());
  EXPECT_TRUE(eventually([&] { return at("tokyo", "elsewhere") == written["orders"]; }));
  world.write("home", "orders", 0, {.key = "k", .value = "back again", .timestamp = 1});
  const auto stopped = stops(orders_0);
  EXPECT_THAT(stopped.why, HasSubstr("orders on tokyo is read as well, since that is the home cluster by another name"));
  expect_only_orders_1_to_go_on();
}

TEST_F(cluster, that_is_home_refuses_a_record_that_names_what_is_read) {
  targets = {"home"};
  start("one", naming_topics());
  EXPECT_TRUE(eventually([&] { return at("home", "elsewhere") == written["orders"]; }));
  world.write("home", "orders", 0, {.key = "k", .value = "back again", .timestamp = 1});
  expect_said_once("orders/0 stops at offset 3: to-1: orders on home is read as well; name another topic");
  expect_only_orders_1_to_go_on();
}

TEST_F(cluster, that_is_home_passes_over_a_record_that_names_what_is_read_if_it_may) {
  targets = {"home"};
  start("one", naming_topics(skip));
  world.write("home", "orders", 0, {.key = "k", .value = "back again", .timestamp = 1});
  write(orders_0, 2);
  EXPECT_TRUE(eventually([&] { return at("home", "elsewhere") == written["orders"]; }));
  EXPECT_TRUE(ready("one"));
}

TEST_F(cluster, that_has_two_names_is_no_two_targets) {
  targets = {"tokyo", "kyoto"};
  world.add_name("tokyo", "kyoto");
  start("one");
  EXPECT_THAT(ends("one").text, HasSubstr("are one and the same cluster (memory-tokyo)"));
  EXPECT_TRUE(at("tokyo", "orders").empty());
}

TEST_F(cluster, that_cannot_be_reached_is_named_at_once_whichever_it_is) {
  targets = {"tokyo", "oregon"};
  for (const auto each : {"home", "tokyo", "oregon"}) world.cut(each);
  start("one");
  world.advance(11s);
  for (const auto each : {"home: ", "tokyo: ", "oregon: "}) expect_said_once("one: " + std::string{each});
  world.heal("tokyo");
  EXPECT_TRUE(eventually([&] { return said("tokyo: going on"); }));
  EXPECT_FALSE(said("home: going on"));
  world.heal("home");
  world.heal("oregon");
  EXPECT_TRUE(copied("orders"));
}

TEST_F(cluster, that_cannot_be_reached_does_not_hold_up_a_stop) {
  world.cut("tokyo");
  start("one");
  world.advance(1s);
  world.stop("one");
  EXPECT_TRUE(world.run_until([&] { return !world.is_running("one"); }, 2s));
}

}  // namespace
}  // namespace flow::testing
