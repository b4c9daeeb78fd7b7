#include "scenario.hpp"

#include <algorithm>
#include <set>

#include <flow/partition.hpp>

#include "simulation.hpp"

namespace flow::testing {
namespace {

using ::testing::ElementsAre;

const std::string between = "sync.home.by-customer.records.internal";

/// Orders, each of a customer that is named in its value, which come together in a topic between.
class repartitioned : public scenario {
 protected:
  repartitioned() {
    create("orders", 3);
    for (int i = 0; i < 30; ++i) order(i);
  }

  /// The customers' orders are spread over all partitions, with keys of their own.
  void order(int number) {
    scenario::write({"orders", number % 3},
                    {.key = "order " + std::to_string(number),
                     .value = std::string(1, static_cast<char>('a' + number % 7)) + std::to_string(number)});
    ++orders;
  }

  static std::string customer(const std::string& value) { return value.substr(0, 1); }

  topology by_customer(std::int32_t partitions = 4) const {
    topology t{"sync"};
    t.from(topic<bytes, std::string>{"orders"}) | key_by(customer) | repartition("by-customer", partitions) |
        fan_out("regions", targets);
    return t;
  }

  /// Every order is there once, each customer's in one partition of its own choice, and in the order of its source.
  AssertionResult complete(const std::string& target) {
    if (!eventually([&] { return count(target) >= orders; }))
      return ::testing::AssertionFailure() << target << " has " << count(target) << " of " << orders;
    const auto all = world.read(target, "by-customer");
    std::set<std::string> once;
    std::map<std::string, std::size_t> places;
    std::map<std::pair<std::string, int>, int> newest;
    for (std::size_t p = 0; p < all.size(); ++p)
      for (const auto& each : all[p]) {
        const auto who = customer(*each.value);
        const auto number = std::stoi(each.value->substr(1));
        if (each.key != who) return ::testing::AssertionFailure() << *each.value << " has the key " << *each.key;
        if (!once.insert(*each.value).second) return ::testing::AssertionFailure() << *each.value << " came twice";
        if (places.emplace(who, p).first->second != p)
          return ::testing::AssertionFailure() << who << " is in two places";
        if (key_hash(bytes{who}) % all.size() != p) return ::testing::AssertionFailure() << who << " is in " << p;
        auto& before = newest.try_emplace({who, number % 3}, -1).first->second;
        if (number <= before) return ::testing::AssertionFailure() << number << " came behind " << before;
        before = number;
      }
    return ::testing::AssertionSuccess();
  }

  std::size_t count(const std::string& target, const std::string& topic = "by-customer") {
    std::size_t found = 0;
    for (const auto& each : at(target, topic)) found += each.size();
    return found;
  }

  /// What is still there of the topic between.
  std::size_t left() {
    std::size_t found = 0;
    for (const auto& each : world.read("home", between)) found += each.size();
    return found;
  }

  /// No partition has stopped on the way to tokyo.
  bool goes_on() {
    world.advance(5s);
    return ready("one") && working("one").halted.empty();
  }

  /// Why nothing is written at home.
  failure refused() {
    EXPECT_TRUE(eventually([&] { return working("one", "home").trouble.has_value(); }));
    return working("one", "home").trouble.value_or(failure{});
  }

  std::size_t orders = 0;
};

TEST_F(repartitioned, equal_keys_come_together_in_the_order_of_their_partition) {
  start("one", by_customer());
  EXPECT_TRUE(complete("tokyo"));
  EXPECT_EQ(world.read("tokyo", "by-customer").size(), 4u);
}

TEST_F(repartitioned, for_several_targets_and_workers_at_once) {
  targets = {"tokyo", "oregon"};
  start("one", by_customer());
  start("two", by_customer());
  for (int i = 30; i < 90; ++i) order(i);
  EXPECT_TRUE(complete("tokyo"));
  EXPECT_TRUE(complete("oregon"));
}

TEST_F(repartitioned, on_as_many_partitions_as_the_source_unless_told_otherwise) {
  start("one", by_customer(0));
  EXPECT_TRUE(complete("tokyo"));
  EXPECT_EQ(world.read("home", between).size(), 3u);
}

TEST_F(repartitioned, timestamps_and_headers_stay) {
  create("events");
  topology t{"sync"};
  t.from(topic<bytes, bytes>{"events"}) | repartition("by-customer", 2) | to("out", {.cluster = "tokyo"});
  raw_record event{.key = "k", .value = "v", .timestamp = 1234, .headers = {{"h", "1"}, {"h", std::nullopt}}};
  world.write("home", "events", 0, event);
  start("one", t);
  ASSERT_TRUE(eventually([&] {
    return at("tokyo", "out") == contents{{"v"}, {}} || at("tokyo", "out") == contents{{}, {"v"}};
  }));
  for (const auto& each : world.read("tokyo", "out"))
    for (auto found : each) {
      found.offset = event.offset;
      EXPECT_EQ(found, event);
    }
}

TEST_F(repartitioned, whatever_the_largest_of_its_sources_takes_gets_through) {
  world.create_topic("home", "letters", 1, {{"max.message.bytes", "4000000"}});
  topology t{"sync"};
  merge(t.from(topic<bytes, std::string>{"orders"}), t.from(topic<bytes, std::string>{"letters"})) | key_by(customer) |
      repartition("by-customer", 4) | fan_out("regions", targets);
  start("one", t);
  world.write("home", "letters", 0, {.key = "k", .value = std::string(3'000'000, 'a')});
  ++orders;
  EXPECT_TRUE(eventually([&] { return count("tokyo") == orders; }));
  EXPECT_THAT(working("one", "home").halted, IsEmpty());
  EXPECT_THAT(working("one").halted, IsEmpty());
}

TEST_F(repartitioned, records_without_a_key_are_spread_as_they_came) {
  create("events", 6);
  for (std::int32_t p = 0; p < 6; ++p) world.write("home", "events", p, {.value = std::to_string(p)});
  topology t{"sync"};
  t.from(topic<bytes, bytes>{"events"}) | repartition("by-customer", 4) | to("out", {.cluster = "tokyo"});
  start("one", t);
  const contents all{{"0", "4"}, {"1", "5"}, {"2"}, {"3"}};
  EXPECT_TRUE(eventually([&] {
    auto found = at("tokyo", "out");
    for (auto& each : found) std::ranges::sort(each);
    return found == all;
  }));
}

struct backwards {
  static std::string decode(bytes raw) {
    auto text = raw.str();
    std::ranges::reverse(text);
    return text;
  }
  static bytes encode(const std::string& text, std::string& room) {
    room = text;
    std::ranges::reverse(room);
    return room;
  }
};

TEST_F(repartitioned, what_a_topic_has_by_codecs_of_its_own_is_read_behind_it_as_it_was) {
  create("events");
  world.write("home", "events", 0, {.key = "yek", .value = "eulav"});
  topology t{"sync"};
  t.from(topic<std::string, std::string>{"events", backwards{}, backwards{}}) | repartition("by-customer") |
      to(topic<std::string, std::string>{"out"}, {.cluster = "tokyo"});
  start("one", t);
  EXPECT_TRUE(eventually([&] { return at("tokyo", "out") == contents{{"value"}}; }))
      << ::testing::PrintToString(at("tokyo", "out"));
}

TEST_F(repartitioned, an_ordered_sink_stands_behind_it) {
  world.destination("crm", [](const delivery&) { return receipt::done(); });
  targets = {};
  topology t{"sync"};
  t.from(topic<bytes, std::string>{"orders"}) | key_by(customer) | repartition("by-customer", 4) |
      ordered_sink("crm", [](std::span<const delivery>) {});
  start("one", t);
  EXPECT_TRUE(eventually([&] { return world.arrivals("crm").size() == orders; }));
}

TEST_F(repartitioned, a_new_target_gets_what_is_still_there) {
  start("one", by_customer());
  EXPECT_TRUE(complete("tokyo"));
  stop("one");
  targets = {"tokyo", "oregon"};
  start("one", by_customer());
  order(30);
  EXPECT_TRUE(complete("tokyo"));
  EXPECT_TRUE(eventually([&] { return count("oregon") > 0; }));
}

// ---- what does not lead to a target

TEST_F(repartitioned, a_target_behind_it_lacks_nothing_where_the_source_has_forgotten) {
  start("one", by_customer());
  EXPECT_TRUE(complete("tokyo"));
  EXPECT_TRUE(eventually([&] { return left() == 0; }));
  world.pause("one", "tokyo");
  ASSERT_TRUE(eventually([&] { return working("one").paused; }));
  for (int i = 30; i < 60; ++i) order(i);
  ASSERT_TRUE(eventually([&] { return left() == 30; }));
  for (std::int32_t p = 0; p < 3; ++p) world.delete_records("home", "orders", p, 18);
  world.resume("one", "tokyo");
  EXPECT_TRUE(complete("tokyo"));
  EXPECT_TRUE(goes_on());
}

TEST_F(repartitioned, a_target_that_used_to_follow_the_source_itself_goes_on_behind_it) {
  topology before{"sync"};
  before.from(topic<bytes, std::string>{"orders"}) | fan_out("regions", targets, {.rename = "before"});
  start("one", before);
  EXPECT_TRUE(eventually([&] { return count("tokyo", "before") == orders; }));
  stop("one");
  orders = 0;
  for (int i = 30; i < 60; ++i) order(i);
  for (std::int32_t p = 0; p < 3; ++p) world.delete_records("home", "orders", p, 12);
  orders -= 6;
  start("one", by_customer());
  EXPECT_TRUE(complete("tokyo"));
  EXPECT_TRUE(goes_on());
}

TEST_F(repartitioned, no_topic_is_made_for_what_does_not_come_to_a_target) {
  create("payments");
  topology t{"sync"};
  t.from(topic<bytes, std::string>{"orders"}) | key_by(customer) | repartition("by-customer", 4) |
      fan_out("regions", targets);
  t.from(topic<bytes, bytes>{"payments"}) | fan_out("payments-in", {"oregon"}, {.rename = "{topic}.in"});
  targets = {"tokyo", "oregon"};
  start("one", t);
  EXPECT_TRUE(complete("tokyo"));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
  const auto made_on = [&](const std::string& target) {
    std::vector<std::string> names;
    for (const auto& [name, topic] : world.internals().cluster(target).inside()->topics())
      if (!is_internal_topic(name)) names.push_back(name);
    return names;
  };
  EXPECT_THAT(made_on("tokyo"), ElementsAre("by-customer"));
  EXPECT_THAT(made_on("oregon"), ElementsAre("payments.in"));
}

TEST_F(repartitioned, what_cannot_be_read_in_front_of_it_is_dead_lettered_beside_it) {
  topology t{"sync"};
  t.from(topic<bytes, std::int64_t>{"orders"}).on_failure(dead_letter("orders.dlq")) |
      filter([](std::int64_t) { return true; }) | repartition("by-customer", 4) | fan_out("regions", targets);
  start("one", t);
  EXPECT_TRUE(eventually([&] { return count("home", "orders.dlq") == orders; }));
}

TEST_F(repartitioned, positions_that_are_gone_are_missed_before_there_is_anything_between) {
  world.create_topic("tokyo", "by-customer", 4);
  world.write("tokyo", "by-customer", 0, {.key = "a", .value = "a1"});
  start("one", by_customer());
  EXPECT_TRUE(eventually([&] { return working("one").trouble.has_value(); }));
  EXPECT_THAT(working("one").trouble.value_or(failure{}).text, HasSubstr("the output topics on tokyo hold records"));
}

// ---- crashes

class step_of_a_repartition : public repartitioned, public ::testing::WithParamInterface<std::string_view> {};

TEST_P(step_of_a_repartition, crashed_at_loses_and_repeats_nothing) {
  for (const int nth : {1, 2, 3, 5}) {
    start("one", by_customer());
    world.crash_at("one", GetParam(), nth);
    ASSERT_TRUE(eventually([&] {
      order(static_cast<int>(orders));
      return !world.is_running("one");
    }));
    if (nth == 3) world.lose_state("one");
  }
  start("two", by_customer());
  EXPECT_TRUE(complete("tokyo"));
}

INSTANTIATE_TEST_SUITE_P(step, step_of_a_repartition,
                         ::testing::Values("begun", "sent", "offsets sent", "committed", "stored"),
                         [](const auto& which) {
                           std::string name{which.param};
                           std::ranges::replace(name, ' ', '_');
                           return name;
                         });

// ---- what is deleted

TEST_F(repartitioned, what_every_target_has_is_deleted) {
  targets = {"tokyo", "oregon"};
  start("one", by_customer());
  start("two", by_customer());
  EXPECT_TRUE(complete("tokyo"));
  EXPECT_TRUE(complete("oregon"));
  EXPECT_TRUE(eventually([&] { return left() == 0; }));
  stop("one");
  stop("two");
  start("one", by_customer());
  for (int i = 30; i < 60; ++i) order(i);
  EXPECT_TRUE(complete("tokyo"));
  EXPECT_TRUE(complete("oregon"));
}

TEST_F(repartitioned, nothing_is_deleted_that_a_target_which_is_away_has_not_got) {
  targets = {"tokyo", "oregon"};
  start("one", by_customer());
  EXPECT_TRUE(complete("tokyo"));
  for (const auto& [away, other] : {std::pair{"tokyo", "oregon"}, {"oregon", "tokyo"}}) {
    world.cut(away);
    for (int i = 0; i < 30; ++i) order(static_cast<int>(orders));
    EXPECT_TRUE(complete(other));
    world.advance(3min);
    EXPECT_GE(left(), 30u) << away;
    world.heal(away);
    EXPECT_TRUE(complete(away));
    EXPECT_TRUE(eventually([&] { return left() == 0; })) << away;
  }
}

TEST_F(repartitioned, a_target_that_reads_nothing_of_it_has_no_say) {
  targets = {"asia", "tokyo"};
  topology t{"sync"};
  const auto all = t.from(topic<bytes, std::string>{"orders"});
  all | key_by(customer) | repartition("by-customer", 4) | fan_out("regions", {"tokyo"});
  all | fan_out("copies", {"asia"}, {.rename = "copies"});
  start("one", t);
  world.cut("asia");
  EXPECT_TRUE(complete("tokyo"));
  EXPECT_TRUE(eventually([&] { return left() == 0; }));
}

TEST_F(repartitioned, nothing_is_deleted_that_a_target_of_another_process_has_not_got) {
  targets = {"tokyo"};
  const auto to_tokyo = by_customer();
  targets = {"oregon"};
  const auto to_oregon = by_customer();
  targets = {"tokyo", "oregon"};
  start("one", to_tokyo);
  start("two", to_oregon);
  EXPECT_TRUE(complete("oregon"));
  world.cut("oregon");
  for (int i = 30; i < 60; ++i) order(i);
  EXPECT_TRUE(complete("tokyo"));
  world.advance(3min);
  EXPECT_TRUE(said("oregon reads it too, and is not among the targets of this process"));
  EXPECT_GE(left(), 30u);
  world.heal("oregon");
  EXPECT_TRUE(complete("oregon"));
}

TEST_F(repartitioned, what_a_target_has_that_reads_nothing_of_it_is_not_waited_for) {
  topology t{"sync"};
  t.from(topic<bytes, std::string>{"orders"}) | key_by(customer) | repartition("by-customer", 4) |
      fan_out("regions", targets);
  t.from(topic<bytes, bytes>{"orders"}) | to("copies", {.cluster = "oregon"});
  targets = {"tokyo", "oregon"};
  world.cut("oregon");
  start("one", t);
  EXPECT_TRUE(complete("tokyo"));
  EXPECT_TRUE(eventually([&] { return left() == 0; }));
}

TEST_F(repartitioned, what_is_made_behind_it_keeps_no_longer_than_its_cluster_says) {
  start("one", by_customer());
  EXPECT_TRUE(complete("tokyo"));
  const auto& made = world.internals().cluster("tokyo").inside()->topics().at("by-customer").settings();
  EXPECT_TRUE(!made.contains("retention.ms") || made.at("retention.ms") != "-1");
}

TEST_F(repartitioned, what_a_dedup_behind_it_may_ask_about_is_kept) {
  topology t{"sync"};
  t.from(topic<bytes, std::string>{"orders"}) | key_by(customer) | repartition("by-customer", 4) |
      dedup("once", std::identity{}, 1h) | fan_out("regions", targets);
  start("one", t);
  EXPECT_TRUE(complete("tokyo"));
  world.advance(3min);
  EXPECT_EQ(left(), orders);
  world.crash("one");
  world.lose_state("one");
  for (int i = 0; i < 30; ++i) {
    order(i);
    --orders;
  }
  start("two", t);
  order(30);
  EXPECT_TRUE(complete("tokyo"));
  world.advance(5s);
  EXPECT_TRUE(complete("tokyo"));
}

// ---- another name

/// The orders come to tokyo no further than into the topic between, and nothing runs.
class renamed : public repartitioned {
 protected:
  renamed() {
    start("one", by_customer());
    EXPECT_TRUE(complete("tokyo"));
    EXPECT_TRUE(eventually([&] { return left() == 0; }));
    world.pause("one", "tokyo");
    EXPECT_TRUE(eventually([&] { return working("one").paused; }));
    for (int i = 30; i < 60; ++i) order(i);
    EXPECT_TRUE(eventually([&] { return left() == 30; }));
    stop("one");
  }

  topology by_client() const {
    topology t{"sync"};
    t.from(topic<bytes, std::string>{"orders"}) | key_by(customer) | repartition("by-client", 4) |
        fan_out("regions", targets, {.rename = "by-customer"});
    return t;
  }
};

TEST_F(renamed, it_leaves_nothing_behind_that_is_on_its_way) {
  start("one", by_client());
  ASSERT_TRUE(eventually([&] { return working("one").trouble.has_value(); }));
  const auto why = *working("one").trouble;
  EXPECT_EQ(why.kind, failure_kind::refused);
  EXPECT_THAT(why.text, HasSubstr("tokyo has still to get"));
  EXPECT_THAT(why.text, HasSubstr(between));
  EXPECT_THAT(why.remedy, HasSubstr("run the former topology until"));
  EXPECT_THAT(why.remedy, HasSubstr("delete that topic"));
  EXPECT_EQ(count("tokyo"), 30u);
}

TEST_F(renamed, it_goes_on_once_that_has_come_through) {
  start("one", by_customer());
  EXPECT_TRUE(complete("tokyo"));
  world.advance(3s);
  stop("one");
  start("one", by_client());
  for (int i = 60; i < 90; ++i) order(i);
  EXPECT_TRUE(complete("tokyo"));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(renamed, it_goes_on_without_what_was_in_a_topic_that_is_deleted) {
  world.delete_topic("home", between);
  start("one", by_client());
  orders -= 30;
  for (int i = 60; i < 90; ++i) order(i);
  EXPECT_TRUE(complete("tokyo"));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

// ---- refusals

TEST_F(repartitioned, a_topic_between_with_other_partitions_is_refused) {
  world.create_topic("home", between, 2,
                     {{"cleanup.policy", "delete"}, {"retention.ms", "-1"}, {"retention.bytes", "-1"}});
  start("one", by_customer());
  const auto why = refused();
  EXPECT_THAT(why.text, HasSubstr(between + " has 2 partitions, and 4 are asked for"));
}

TEST_F(repartitioned, a_topic_between_that_forgets_is_refused) {
  world.create_topic("home", between, 4, {{"cleanup.policy", "delete"}, {"retention.ms", "1000"}});
  start("one", by_customer());
  const auto why = refused();
  EXPECT_THAT(why.text, HasSubstr("its retention.ms is 1000"));
  EXPECT_EQ(why.remedy, "set its retention.ms to -1");
}

}  // namespace
}  // namespace flow::testing
