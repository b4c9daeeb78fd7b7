#include <algorithm>
#include <stdexcept>

#include <flow/dead_letter.hpp>

#include "scenario.hpp"

namespace flow::testing {
namespace {

using ::testing::AllOf;

/// A record that the target does not take stands between others: the second of orders/0.
class refused_record : public scenario {
 protected:
  refused_record() { create("orders", 2); }

  void given(const std::map<std::string, std::string>& settings, const raw_record& what) {
    world.create_topic("tokyo", "orders", 2, settings);
    write("orders");
    write(orders_0, what);
    write("orders", 3);
  }
  topology skipping() const {
    topology t{"sync"};
    t.from(topic<bytes, bytes>{"orders"}) | fan_out("regions", targets).on_failure(skip);
    return t;
  }
  /// Its partition stops before it and says why, and the other goes on.
  void expect_stop(const std::string& why, const std::string& remedy) {
    start("one");
    const auto stopped = stops(orders_0);
    EXPECT_EQ(stopped.offset, 1);
    EXPECT_THAT(stopped.why, AllOf(HasSubstr(why), HasSubstr(remedy)));
    EXPECT_FALSE(ready("one"));
    EXPECT_TRUE(copied(orders_1));
    written["orders"][0].resize(1);
    EXPECT_TRUE(copied(orders_0));
    EXPECT_EQ(working("one").records_refused, 0u);
  }
  /// Everything else arrives, and the record is counted.
  void expect_skip(const std::string& why) {
    start("one", skipping());
    written["orders"][0].erase(written["orders"][0].begin() + 1);
    EXPECT_TRUE(copied("orders"));
    EXPECT_EQ(working("one").records_refused, 1u);
    EXPECT_TRUE(said("skipped offset 1 of orders/0: " + why));
    EXPECT_TRUE(ready("one"));
  }

  const raw_record large{.key = "k", .value = std::string(1000, 'x')};
  const std::map<std::string, std::string> takes_small_ones{{"max.message.bytes", "500"}};
  const std::map<std::string, std::string> takes_the_present{{"message.timestamp.after.max.ms", "3600000"}};
  const std::map<std::string, std::string> compacted{{"cleanup.policy", "compact"}};
  raw_record from_the_future() const {
    return {.key = "k", .value = "early", .timestamp = world.wall_clock() + 7'200'000};
  }
  const raw_record without_key{.value = "nobody's"};
};

/// Topics that take little at once, however small a record is.
class refused_batch : public scenario {
 protected:
  refused_batch() { create("orders"); }
  void given_to_take_little(const std::string& topic) {
    world.create_topic("tokyo", topic, 1, {{"max.message.bytes", "500"}});
  }
};

TEST_F(refused_batch, is_sent_in_smaller_ones) {
  given_to_take_little("orders");
  write(orders_0, 500);
  start("one");
  EXPECT_TRUE(copied("orders"));
  EXPECT_LT(working("one").commits, 10u);
}

TEST_F(refused_batch, of_a_topic_that_came_later_is_sent_in_smaller_ones) {
  start("one", copies({"orders", "bills"}));
  write(orders_0, 10);
  EXPECT_TRUE(copied("orders"));
  const auto before = working("one").commits;
  given_to_take_little("bills");
  create("bills");
  write("bills", 500);
  EXPECT_TRUE(copied("bills"));
  EXPECT_LT(working("one").commits - before, 10u);
}

TEST_F(refused_record, that_is_too_large_stops_its_partition) {
  given(takes_small_ones, large);
  expect_stop("is larger than orders takes (500)", "raise its max.message.bytes");
}

TEST_F(refused_record, that_is_too_large_is_counted_where_it_is_to_be_skipped) {
  given(takes_small_ones, large);
  expect_skip("the record of about");
}

TEST_F(refused_record, is_said_once_for_each_cause) {
  auto settings = takes_small_ones;
  settings.merge(std::map{compacted});
  given(settings, large);
  world.write("home", "orders", 0, {.key = "k", .value = std::string(2000, 'x'), .timestamp = 1});
  world.write("home", "orders", 1, {.value = "nobody's", .timestamp = 1});
  start("one", skipping());
  EXPECT_TRUE(eventually([&] { return working("one").records_refused == 3u; }));
  EXPECT_TRUE(said("skipped offset 1 of orders/0: the record of about"));
  EXPECT_FALSE(said("skipped offset 5 of orders/0"));
  EXPECT_TRUE(said("skipped offset 4 of orders/1: the record has no key"));
}

TEST_F(refused_record, by_an_operator_is_said_once_for_each_cause) {
  topology t{"sync"};
  t.from(topic<bytes, std::string>{"orders"}) | peek("check", [](const std::string& value) {
    if (value.starts_with("bad")) throw std::runtime_error{"not good: " + value.substr(4)};
  }).on_failure(skip) | fan_out("regions", targets);
  start("one", t);
  for (const auto* value : {"bad 1", "bad 2", "bad one"})
    world.write("home", "orders", 0, {.key = "k", .value = value, .timestamp = 1});
  EXPECT_TRUE(eventually([&] { return said("home: check: skipped offset 2 of orders/0: not good: one"); }));
  EXPECT_TRUE(said("home: check: skipped offset 0 of orders/0: not good: 1"));
  EXPECT_FALSE(said("skipped offset 1 of orders/0"));
}

TEST_F(refused_record, that_is_too_far_ahead_stops_its_partition) {
  given(takes_the_present, from_the_future());
  expect_stop("ahead of the clock, more than orders takes", "raise its message.timestamp.after.max.ms");
}

TEST_F(refused_record, that_is_too_far_ahead_is_counted_where_it_is_to_be_skipped) {
  given(takes_the_present, from_the_future());
  expect_skip("the record's timestamp is");
}

TEST_F(refused_record, that_is_too_old_stops_its_partition) {
  given({{"message.timestamp.before.max.ms", "3600000"}},
        {.key = "k", .value = "late", .timestamp = world.wall_clock() - 7'200'000});
  expect_stop("behind the clock, more than orders takes", "raise its message.timestamp.before.max.ms");
}

TEST_F(refused_record, that_has_no_key_for_a_compacted_topic_stops_its_partition) {
  given(compacted, without_key);
  expect_stop("the record has no key, and orders is compacted", "give the records keys");
}

TEST_F(refused_record, that_has_no_key_for_a_compacted_topic_is_counted_where_it_is_to_be_skipped) {
  given(compacted, without_key);
  expect_skip("the record has no key");
}

TEST_F(refused_record, on_one_target_is_written_on_the_other) {
  targets = {"tokyo", "oregon"};
  given(takes_small_ones, large);
  start("one");
  stops(orders_0);
  EXPECT_TRUE(eventually([&] { return at("oregon", "orders") == written["orders"]; }));
  EXPECT_TRUE(working("one", "oregon").halted.empty());
}

TEST_F(refused_record, goes_on_by_itself_once_the_target_takes_it) {
  given(takes_small_ones, large);
  start("one");
  stops(orders_0);
  world.change_settings("tokyo", "orders", {{"max.message.bytes", "5000"}});
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(said("orders/0 is tried again at offset 1, since orders has changed"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(refused_record, goes_on_by_itself_once_its_letter_is_taken) {
  world.create_topic("tokyo", "letters", 1, takes_small_ones);
  given(takes_small_ones, large);
  topology t{"sync"};
  t.from(topic<bytes, bytes>{"orders"}) | fan_out("regions", targets).on_failure(dead_letter("letters"));
  start("one", t);
  EXPECT_THAT(stops(orders_0).why, HasSubstr("its dead letter: "));
  world.change_settings("tokyo", "letters", {{"max.message.bytes", "5000"}});
  EXPECT_TRUE(eventually([&] { return at("tokyo", "letters")[0].size() == 1; }));
  EXPECT_TRUE(eventually([&] { return at("tokyo", "orders")[0].size() == 4; }));
}

TEST_F(refused_record, goes_on_once_the_target_takes_it) {
  given(takes_small_ones, large);
  start("one");
  stops(orders_0);
  stop("one");
  // As if its limit had been raised: the same records in a topic with another setting.
  const auto so_far = world.read("tokyo", "orders");
  world.delete_topic("tokyo", "orders");
  world.create_topic("tokyo", "orders", 2);
  std::int32_t number = 0;
  for (const auto& partition : so_far) {
    for (const auto& each : partition) world.write("tokyo", "orders", number, each);
    ++number;
  }
  start("one");
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
}

/// The limit was lowered after the program had asked for it, so that only the cluster knows.
class record_that_only_the_cluster_refuses : public refused_record {
 protected:
  void given_while_running(const topology& what, int refused = 1) {
    world.create_topic("tokyo", "orders", 2);
    start("one", what);
    EXPECT_TRUE(eventually([&] { return ready("one"); }));
    world.delete_topic("tokyo", "orders");
    world.create_topic("tokyo", "orders", 2, takes_small_ones);
    write("orders", 5);
    for (int i = 0; i < refused; ++i) write(orders_0, large);
    write("orders", 5);
  }
};

TEST_F(record_that_only_the_cluster_refuses, is_found_and_stops_its_partition) {
  given_while_running(copies());
  EXPECT_EQ(stops(orders_0).offset, 5);
  EXPECT_THAT(stops(orders_0).why, HasSubstr("tokyo refuses the record"));
  EXPECT_TRUE(copied(orders_1));
  written["orders"][0].resize(5);
  EXPECT_TRUE(copied(orders_0));
}

TEST_F(record_that_only_the_cluster_refuses, goes_on_by_itself_once_the_cluster_takes_it) {
  given_while_running(copies());
  EXPECT_EQ(stops(orders_0).offset, 5);
  world.advance(30s);
  world.change_settings("tokyo", "orders", {{"max.message.bytes", "5000"}});
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(ready("one"));
}

TEST_F(record_that_only_the_cluster_refuses, is_found_and_counted_where_it_is_to_be_skipped) {
  given_while_running(skipping());
  written["orders"][0].erase(written["orders"][0].begin() + 5);
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(working("one").records_refused, 1u);
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(record_that_only_the_cluster_refuses, is_found_beside_others_that_are_to_be_skipped) {
  given_while_running(skipping(), 3);
  auto& all = written["orders"][0];
  all.erase(all.begin() + 5, all.begin() + 8);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

/// A record for which an operator fails stands between others: the second of orders/0.
class failing_record : public scenario {
 protected:
  failing_record() {
    create("orders", 2);
    write("orders");
    write(orders_0, {.key = "k", .value = "bad"});
    write("orders", 3);
  }
  topology checked(policy on_bad) const {
    topology t{"sync"};
    const auto orders = t.from("orders", topic<bytes, std::string>{"orders"});
    orders | to("seen", {.cluster = "tokyo"});
    orders | filter("check", [](const std::string& value) {
      if (value == "bad") throw std::runtime_error{"a bad order"};
      return true;
    }).on_failure(on_bad) | fan_out("regions", targets);
    return t;
  }
};

TEST_F(failing_record, stops_its_partition_and_nothing_of_it_is_emitted) {
  start("one", checked(flow::stop));
  const auto stopped = stops(orders_0);
  EXPECT_EQ(stopped.offset, 1);
  EXPECT_THAT(stopped.why, HasSubstr("check: a bad order"));
  EXPECT_TRUE(said("orders/0 stops at offset 1: check: a bad order"));
  EXPECT_TRUE(copied(orders_1));
  written["orders"][0].resize(1);
  EXPECT_TRUE(copied(orders_0));
  EXPECT_EQ(at("tokyo", "seen"), written["orders"]);
}

TEST_F(failing_record, is_counted_where_it_is_to_be_skipped) {
  start("one", checked(skip));
  const auto all = written["orders"];
  written["orders"][0].erase(written["orders"][0].begin() + 1);
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(at("tokyo", "seen"), all);
  const auto& counts = world.status("one").nodes;
  EXPECT_EQ(counts.at(2).received, 9u);
  EXPECT_EQ(counts.at(2).skipped, 1u);
  EXPECT_TRUE(ready("one"));
}

TEST_F(failing_record, that_was_mended_in_the_program_is_read_again) {
  start("one", checked(flow::stop));
  stops(orders_0);
  stop("one");
  start("one");
  EXPECT_TRUE(copied("orders"));
}

/// What a record's letter has to say, and that it is the record.
AssertionResult is_letter_of(const raw_record& what, const raw_record& found, const std::string& node,
                             letter_reason why) {
  std::vector<header> headers;
  for (const auto& each : found.headers) headers.push_back({each.key, each.value ? bytes{*each.value} : bytes{}});
  const auto says = read_letter(headers);
  if (!says) return ::testing::AssertionFailure() << "it has not the headers of a letter";
  if (says->node != node || says->reason != why || says->from.topic != "orders" || says->from.cluster != "home")
    return ::testing::AssertionFailure() << says->node << " " << to_string(says->reason) << " " << says->text;
  if (found.key != what.key || found.value != what.value || (what.timestamp > 0 && found.timestamp != what.timestamp))
    return ::testing::AssertionFailure() << "it is another record";
  return ::testing::AssertionSuccess();
}

TEST_F(failing_record, is_dead_lettered_at_home_once_and_everything_else_arrives) {
  start("one", checked(dead_letter("{topic}.dlq")));
  const auto all = written["orders"];
  written["orders"][0].erase(written["orders"][0].begin() + 1);
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(at("tokyo", "seen"), all);
  EXPECT_TRUE(eventually([&] { return at("home", "orders.dlq") == contents{{"bad"}, {}}; }));
  EXPECT_TRUE(is_letter_of({.key = "k", .value = "bad"}, world.read("home", "orders.dlq")[0][0], "check",
                           letter_reason::failed));
  EXPECT_EQ(world.status("one").nodes.at(2).dead_lettered, 1u);
  EXPECT_TRUE(ready("one"));
}

TEST_F(failing_record, is_dead_lettered_once_wherever_its_worker_dies) {
  for (const auto step : steps)
    for (const int nth : {1, 2, 3}) {
      start("one", checked(dead_letter("{topic}.dlq")));
      world.crash_at("one", step, nth);
      eventually([&] { return !world.is_running("one"); });
      if (world.is_running("one")) world.crash("one");
    }
  written["orders"][0].erase(written["orders"][0].begin() + 1);
  start("one", checked(dead_letter("{topic}.dlq")));
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(eventually([&] { return at("home", "orders.dlq") == contents{{"bad"}, {}}; }));
  write("orders", 2);
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(at("home", "orders.dlq"), (contents{{"bad"}, {}}));
}

TEST_F(failing_record, is_dead_lettered_while_a_target_is_away_and_gets_there_later) {
  targets = {"tokyo", "oregon"};
  world.cut("oregon");
  start("one", checked(dead_letter("{topic}.dlq")));
  EXPECT_TRUE(eventually([&] { return at("home", "orders.dlq") == contents{{"bad"}, {}}; }));
  world.heal("oregon");
  written["orders"][0].erase(written["orders"][0].begin() + 1);
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(at("home", "orders.dlq"), (contents{{"bad"}, {}}));
}

TEST_F(refused_record, is_dead_lettered_on_the_target_that_does_not_take_it) {
  targets = {"tokyo", "oregon"};
  given(takes_small_ones, large);
  topology t{"sync"};
  t.from(topic<bytes, bytes>{"orders"}) | fan_out("regions", targets).on_failure(dead_letter("{topic}.dlq"));
  start("one", t);
  const auto all = written["orders"];
  written["orders"][0].erase(written["orders"][0].begin() + 1);
  EXPECT_TRUE(copied(orders_1));
  EXPECT_TRUE(eventually([&] { return at("tokyo", "orders") == written["orders"] && at("oregon", "orders") == all; }));
  const auto letters = world.read("tokyo", "orders.dlq");
  ASSERT_EQ(letters.at(0).size(), 1u);
  EXPECT_TRUE(is_letter_of(large, letters[0][0], "regions", letter_reason::refused));
  EXPECT_TRUE(world.read("oregon", "orders.dlq").at(0).empty());
  EXPECT_EQ(working("one").dead_letters, 1u);
  EXPECT_TRUE(said("dead-lettered offset 1 of orders/0: the record of about"));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(refused_record, whose_letter_is_refused_as_well_stops_its_partition) {
  given(takes_small_ones, large);
  world.create_topic("tokyo", "orders.dlq", 2, takes_small_ones);
  topology t{"sync"};
  t.from(topic<bytes, bytes>{"orders"}) | fan_out("regions", targets).on_failure(dead_letter("{topic}.dlq"));
  start("one", t);
  EXPECT_THAT(stops(orders_0).why, AllOf(HasSubstr("its dead letter: "), HasSubstr("larger than orders.dlq takes")));
  EXPECT_TRUE(copied(orders_1));
}

TEST_F(record_that_only_the_cluster_refuses, is_found_and_dead_lettered) {
  topology t{"sync"};
  t.from(topic<bytes, bytes>{"orders"}) | fan_out("regions", targets).on_failure(dead_letter("{topic}.dlq"));
  given_while_running(t);
  written["orders"][0].erase(written["orders"][0].begin() + 5);
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(at("tokyo", "orders.dlq"), (contents{{*large.value}, {}}));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(record_that_only_the_cluster_refuses, stops_its_partition_if_its_letter_is_refused_as_well) {
  world.create_topic("tokyo", "orders.dlq", 2);
  topology t{"sync"};
  t.from(topic<bytes, bytes>{"orders"}) | fan_out("regions", targets).on_failure(dead_letter("{topic}.dlq"));
  world.create_topic("tokyo", "orders", 2);
  start("one", t);
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
  for (const auto topic : {"orders", "orders.dlq"}) {
    world.delete_topic("tokyo", topic);
    world.create_topic("tokyo", topic, 2, takes_small_ones);
  }
  write("orders", 5);
  write(orders_0, large);
  write("orders", 5);
  EXPECT_EQ(stops(orders_0).offset, 5);
  EXPECT_TRUE(copied(orders_1));
}

/// An operator asks something outside, which is away for a while.
class record_that_fails_for_a_while : public scenario {
 protected:
  record_that_fails_for_a_while() {
    create("orders", 2);
    write("orders");
    write(orders_0, {.key = "k", .value = "asks"});
    write("orders", 3);
  }
  topology asking(policy on_failure) {
    topology t{"sync"};
    t.from("orders", topic<bytes, std::string>{"orders"}) | filter("ask", [this](const std::string& value) {
      if (value != "asks" || answers) return true;
      ++asked;
      throw std::runtime_error{"no answer"};
    }).on_failure(on_failure) | fan_out("regions", targets);
    return t;
  }
  bool answers = false;
  int asked = 0;
};

TEST_F(record_that_fails_for_a_while, holds_its_partition_until_it_gets_through) {
  start("one", asking(retry(forever, {100ms, 2s})));
  EXPECT_TRUE(copied(orders_1));
  EXPECT_TRUE(eventually([&] { return asked > 10; }));
  EXPECT_EQ(at("tokyo", "orders")[0].size(), 1u);
  EXPECT_TRUE(said("orders/0 waits at offset 1 and tries again: ask: no answer"));
  answers = true;
  EXPECT_TRUE(copied("orders"));
  EXPECT_EQ(world.status("one").nodes.at(1).retried, static_cast<std::uint64_t>(asked));
}

TEST_F(record_that_fails_for_a_while, does_not_keep_its_worker_from_committing_and_stopping) {
  start("one", asking(retry(forever, {100ms, 2s})));
  EXPECT_TRUE(eventually([&] { return asked > 3; }));
  EXPECT_EQ(at("tokyo", "orders")[0].size(), 1u);
  stop("one");
  answers = true;
  start("one", asking(retry(forever)));
  EXPECT_TRUE(copied("orders"));
}

TEST_F(record_that_fails_for_a_while, is_given_up_after_so_many_tries) {
  start("one", asking(retry(4, {10ms, 20ms}).then(dead_letter("orders.dlq"))));
  written["orders"][0].erase(written["orders"][0].begin() + 1);
  EXPECT_TRUE(copied("orders"));
  EXPECT_TRUE(eventually([&] { return at("home", "orders.dlq")[0] == values{"asks"}; }));
  const auto letter = world.read("home", "orders.dlq")[0][0];
  EXPECT_THAT(letter.headers, ::testing::Contains(raw_header{"flow.attempts", "5"}));
}

TEST_F(record_that_fails_for_a_while, is_given_up_after_a_time) {
  start("one", asking(retry(3s, {10ms, 100ms}).then(skip)));
  written["orders"][0].erase(written["orders"][0].begin() + 1);
  EXPECT_TRUE(copied("orders"));
  EXPECT_GT(asked, 10);
}

TEST_F(record_that_fails_for_a_while, stops_its_partition_when_nothing_else_was_said) {
  start("one", asking(retry(2, {10ms, 20ms})));
  EXPECT_THAT(stops(orders_0).why, HasSubstr("ask: no answer"));
  EXPECT_EQ(asked, 3);
}

}  // namespace
}  // namespace flow::testing
