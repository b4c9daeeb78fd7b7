#include <algorithm>

#include "scenario.hpp"
#include "simulation.hpp"

namespace flow::testing {
namespace {

/// The topics that are written to.
using outputs = scenario;

TEST_F(outputs, that_are_missing_are_created_as_their_source_is) {
  world.create_topic("home", "orders", 3, {{"cleanup.policy", "compact"}, {"retention.ms", "1000"}});
  written["orders"].resize(3);
  write("orders", 3);
  start("one");
  EXPECT_TRUE(copied("orders"));
  const auto& made = world.internals().cluster("tokyo").inside()->topics().find("orders")->second;
  EXPECT_EQ(made.partitions(), 3);
  EXPECT_EQ(made.settings().at("cleanup.policy"), "compact");
  EXPECT_EQ(made.settings().at("retention.ms"), "1000");
}

/// What a topic on tokyo is set to.
std::string setting(simulation& world, const std::string& topic, const std::string& name) {
  return world.internals().cluster("tokyo").inside()->topics().find(topic)->second.settings().at(name);
}

TEST_F(outputs, follow_the_settings_that_they_are_to_follow) {
  create("orders", 2);
  write("orders", 3);
  start("one", copies({"orders"}, {.sync_settings = {"retention.ms", "max.message.bytes"}}));
  ASSERT_TRUE(copied("orders"));
  world.change_settings("home", "orders", {{"retention.ms", "5000"}, {"segment.bytes", "5000000"}});
  EXPECT_TRUE(eventually([&] { return setting(world, "orders", "retention.ms") == "5000"; }, 1s));
  EXPECT_NE(setting(world, "orders", "segment.bytes"), "5000000");
  EXPECT_TRUE(said("tokyo: orders: retention.ms is 5000 now, as at home"));

  world.change_settings("tokyo", "orders", {{"retention.ms", "6000"}});
  EXPECT_TRUE(eventually([&] { return setting(world, "orders", "retention.ms") == "5000"; }, 1s));

  // What is larger is written from then on.
  world.change_settings("home", "orders", {{"max.message.bytes", "2000000"}});
  EXPECT_TRUE(eventually([&] { return setting(world, "orders", "max.message.bytes") == "2000000"; }, 1s));
  write({"orders", 0}, {.key = "k", .value = std::string(1'500'000, 'x')});
  EXPECT_TRUE(copied("orders"));
}

TEST_F(outputs, for_letters_take_what_is_larger_at_home_now) {
  create("orders");
  topology t{"sync"};
  t.from(topic<bytes, bytes>{"orders"}) |
      map([](bytes value) { return value.size() > 3 ? throw std::runtime_error{"too long"} : value; })
          .on_failure(dead_letter("letters")) |
      fan_out("regions", {"tokyo"}, {.sync_settings = {"max.message.bytes"}});
  start("one", t);
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  world.change_settings("home", "orders", {{"max.message.bytes", "3000000"}});
  ASSERT_TRUE(eventually([&] { return said("letters: max.message.bytes is 3065536 now"); }, 1s));
  write({"orders", 0}, {.key = "k", .value = std::string(2'000'000, 'x')});
  EXPECT_TRUE(eventually([&] { return world.read("home", "letters")[0].size() == 1; }));
  // Whoever wants more keeps it.
  world.change_settings("home", "letters", {{"max.message.bytes", "9000000"}});
  world.advance(2min);
  EXPECT_EQ(world.internals().cluster("home").inside()->topics().find("letters")->second.settings().at("max.message.bytes"),
            "9000000");
}

TEST_F(outputs, keep_the_settings_that_they_have_unless_they_are_to_follow) {
  create("orders");
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  world.change_settings("home", "orders", {{"retention.ms", "5000"}});
  world.advance(2min);
  EXPECT_NE(setting(world, "orders", "retention.ms"), "5000");
}

TEST_F(outputs, complain_once_of_a_setting_that_cannot_follow_and_go_on) {
  create("orders");
  start("one", copies({"orders"}, {.sync_settings = {"retention.sm", "retention.ms"}}));
  ASSERT_TRUE(
      eventually([&] { return said("orders do not follow those at home: a topic has no setting retention.sm"); }, 1s));
  world.change_settings("home", "orders", {{"retention.ms", "5000"}});
  EXPECT_TRUE(eventually([&] { return setting(world, "orders", "retention.ms") == "5000"; }, 1s));
  const auto count = std::ranges::count_if(
      world.log(), [](const std::string& line) { return line.find("do not follow") != std::string::npos; });
  EXPECT_EQ(count, 1);
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(outputs, that_several_lead_to_follow_none_of_them) {
  create("orders.a");
  create("orders.b");
  world.create_topic("tokyo", "home-orders", 1, {{"retention.ms", "6000"}});
  start("one", copies({"orders.*"}, {.rename = "{source}-orders", .sync_settings = {"retention.ms"}}));
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  world.advance(2min);
  EXPECT_EQ(setting(world, "home-orders", "retention.ms"), "6000");
}

TEST_F(outputs, that_are_missing_and_not_to_be_created_are_waited_for_while_others_are_written) {
  create("orders", 2);
  create("payments");
  world.create_topic("tokyo", "payments");
  write("orders", 3);
  write("payments", 3);
  start("one", copies({"orders", "payments"}, {.create = false}));
  EXPECT_TRUE(copied("payments"));
  EXPECT_FALSE(ready("one"));
  ASSERT_TRUE(working("one").trouble);
  EXPECT_EQ(working("one").trouble->text, "on tokyo there is no topic orders");
  EXPECT_THAT(working("one").trouble->remedy, HasSubstr("create it"));
  EXPECT_TRUE(said("on tokyo there is no topic orders"));
  world.create_topic("tokyo", "orders", 2);
  write("payments", 3);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(copied("payments"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(outputs, that_are_deleted_while_they_are_written_are_made_anew) {
  create("orders", 2);
  write("orders", 3);
  start("one");
  ASSERT_TRUE(copied("orders"));
  world.delete_topic("tokyo", "orders");
  for (auto& each : written["orders"]) each.clear();
  write("orders", 3);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(outputs, that_cannot_be_created_are_told_while_others_are_written) {
  const std::string longest(245, 'x');
  create(longest);
  create("payments");
  write(longest, 3);
  write("payments", 3);
  start("one", copies({longest, "payments"}, {.rename = "{source}.{topic}"}));
  EXPECT_TRUE(eventually([&] { return at("tokyo", "home.payments") == written["payments"]; }));
  ASSERT_TRUE(eventually([&] { return working("one").trouble.has_value(); }));
  EXPECT_THAT(working("one").trouble->text, HasSubstr("a topic cannot be called 'home." + longest));
  EXPECT_FALSE(ready("one"));
}

TEST_F(outputs, that_are_deleted_while_they_are_written_are_waited_for) {
  targets = {"tokyo", "oregon"};
  create("orders");
  create("payments");
  for (const auto& each : targets) world.create_topic(each, "orders"), world.create_topic(each, "payments");
  start("one", copies({"orders", "payments"}, {.create = false}));
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  world.delete_topic("tokyo", "orders");
  write("orders", 3);
  write("payments", 3);
  EXPECT_TRUE(copied("payments"));
  EXPECT_EQ(at("oregon", "orders"), written["orders"]);
  EXPECT_FALSE(ready("one"));
  world.create_topic("tokyo", "orders");
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(copied("payments"));
}

/// Each record goes to the topic that its value names.
class named_by_records : public scenario {
 protected:
  topology routed(bool create_missing = true) const {
    topology t{"sync"};
    t.from(topic<bytes, std::string>{"orders"}) |
        to("route", [](const std::string& value) { return value; }, {.cluster = "tokyo", .create = create_missing});
    return t;
  }
  void write_one(const std::string& name) { write(orders_0, {.key = "k", .value = name}); }
};

TEST_F(named_by_records, topics_are_created_when_they_are_first_named) {
  create("orders");
  for (const auto* each : {"paid", "open", "paid"}) write_one(each);
  start("one", routed());
  EXPECT_TRUE(eventually([&] {
    return at("tokyo", "paid") == contents{{"paid", "paid"}} && at("tokyo", "open") == contents{{"open"}};
  }));
  write_one("returned");
  write_one("open");
  EXPECT_TRUE(eventually([&] {
    return at("tokyo", "returned") == contents{{"returned"}} && at("tokyo", "open") == contents{{"open", "open"}};
  }));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(named_by_records, topics_are_created_by_several_processes_at_once) {
  create("orders", 4);
  for (std::int32_t number = 0; number < 4; ++number)
    for (const auto* each : {"paid", "open", "paid"}) write({"orders", number}, {.key = "k", .value = each});
  start("one", routed());
  start("two", routed());
  EXPECT_TRUE(eventually([&] {
    return at("tokyo", "paid") == contents(4, {"paid", "paid"}) && at("tokyo", "open") == contents(4, {"open"});
  }));
  EXPECT_TRUE(eventually([&] { return ready("one") && ready("two"); }));
}

TEST_F(named_by_records, topics_that_are_missing_and_not_to_be_created_are_waited_for) {
  create("orders", 2);
  world.create_topic("tokyo", "paid", 2);
  write_one("nowhere");
  write(orders_1, {.key = "k", .value = "paid"});
  start("one", routed(false));
  EXPECT_TRUE(eventually([&] { return at("tokyo", "paid") == contents{{}, {"paid"}}; }));
  ASSERT_TRUE(eventually([&] { return working("one").trouble.has_value(); }));
  EXPECT_EQ(working("one").trouble->text, "on tokyo there is no topic nowhere");
  EXPECT_FALSE(ready("one"));
  world.create_topic("tokyo", "nowhere", 2);
  EXPECT_TRUE(eventually([&] { return at("tokyo", "nowhere") == contents{{"nowhere"}, {}}; }));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(named_by_records, topics_whose_names_are_none_stop_their_partition) {
  create("orders", 2);
  write_one("paid");
  write_one("not a name");
  write(orders_1, {.key = "k", .value = "paid"});
  start("one", routed());
  EXPECT_THAT(stops(orders_0).why, HasSubstr("'not a name' is no name for a topic"));
  EXPECT_EQ(stops(orders_0).offset, 1);
  EXPECT_TRUE(eventually([&] { return at("tokyo", "paid") == contents{{"paid"}, {"paid"}}; }));
}

}  // namespace
}  // namespace flow::testing
