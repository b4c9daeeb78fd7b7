#include <algorithm>
#include <set>

#include <flow/dead_letter.hpp>

#include "scenario.hpp"
#include "simulation.hpp"

namespace flow::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::SizeIs;

/// An application that delivers orders to a destination "crm", which takes them unless a test has it do otherwise.
class ordered : public scenario {
 protected:
  ordered() {
    targets = {};
    world.destination("crm", [this](const delivery& what) { return says(what); });
  }

  topology delivers(policy on_failure = retry(forever, {10ms, 500ms}), delivery_options how = {}) const {
    topology t{"sync"};
    const auto unasked = [](std::span<const delivery>) {};
    t.from(topic<bytes, bytes>{"orders"}) | ordered_sink("crm", unasked, how).on_failure(on_failure);
    return t;
  }
  topology deduplicated() const {
    topology t{"sync"};
    t.from(topic<bytes, std::string>{"orders"}) | dedup("seen", std::identity{}, 10s) |
        ordered_sink("crm", [](const delivery&) {}).on_failure(retry(forever, {10ms, 500ms}));
    return t;
  }
  void start(const std::string& instance, const topology& what) { scenario::start(instance, what); }
  void start(const std::string& instance) { start(instance, delivers()); }

  /// Numbered records of different keys, so many into each partition.
  void write(const std::string& topic, int count = 1) {
    for (std::int32_t number = 0; number < static_cast<std::int32_t>(written[topic].size()); ++number)
      for (int i = 0; i < count; ++i) write({topic, number}, std::string(1, static_cast<char>('a' + i % 3)));
  }
  void write(const topic_partition& where, std::optional<std::string> key) {
    const auto before = written[where.topic][static_cast<std::size_t>(where.partition)].size();
    scenario::write(where, {.key = key, .value = key.value_or("null") + " #" + std::to_string(before)});
  }

  /// What the destination has taken, where it first did, by partition.
  contents taken() {
    contents all(written["orders"].size());
    std::set<std::string> known;
    for (const auto& each : world.arrivals("crm"))
      if (each.said == receipt::done() && known.insert(each.idempotency_key).second)
        all[static_cast<std::size_t>(each.from.partition)].push_back(*each.what.value);
    return all;
  }
  /// Everything that was written is there, and of each key of each partition in order, where it first came.
  AssertionResult delivered() {
    const auto by_key = [](const contents& all) {
      std::map<std::pair<std::size_t, std::string>, values> lines;
      for (std::size_t p = 0; p < all.size(); ++p)
        for (const auto& each : all[p]) lines[{p, each.substr(0, each.find('#'))}].push_back(each);
      return lines;
    };
    if (eventually([&] { return by_key(taken()) == by_key(written["orders"]); })) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "delivered were " << ::testing::PrintToString(taken()) << " of "
                                         << ::testing::PrintToString(written["orders"]);
  }
  /// Those that came more than once although the destination had taken them.
  std::size_t repeated(const std::function<bool(const arrival&)>& among = [](const auto&) { return true; }) {
    std::set<std::string> known;
    return static_cast<std::size_t>(std::ranges::count_if(world.arrivals("crm"), [&](const auto& each) {
      return among(each) && each.said == receipt::done() && !known.insert(each.idempotency_key).second;
    }));
  }
  /// How many records of that value were delivered.
  std::size_t different(const std::string& value) {
    std::set<std::string> all;
    for (const auto& each : world.arrivals("crm"))
      if (each.what.value == value) all.insert(each.idempotency_key);
    return all.size();
  }
  /// Each time a record came it came as the same, and what is of one partition under a right that never fell.
  AssertionResult identified(bool without_zombies = true) {
    std::map<std::string, std::string> names;
    std::map<topic_partition, std::int64_t> tokens;
    for (const auto& each : world.arrivals("crm")) {
      const auto place = to_string(each.from) + "@" + std::to_string(each.offset) + "#" + std::to_string(each.number);
      if (names.emplace(place, each.idempotency_key).first->second != each.idempotency_key)
        return ::testing::AssertionFailure() << place << " came as " << each.idempotency_key;
      if (without_zombies && each.fencing_token < std::exchange(tokens[each.from], each.fencing_token))
        return ::testing::AssertionFailure() << place << " came under an older right";
    }
    std::set<std::string> different;
    for (const auto& [place, name] : names) different.insert(name);
    if (different.size() != names.size()) return ::testing::AssertionFailure() << "two records have one name";
    return ::testing::AssertionSuccess();
  }
  /// All of a partition is there.
  bool all_of(const topic_partition& where) {
    const auto number = static_cast<std::size_t>(where.partition);
    return eventually([&] { return std::ranges::is_permutation(taken()[number], written["orders"][number]); });
  }
  std::int64_t token_of(const topic_partition& where) {
    std::int64_t newest = 0;
    for (const auto& each : world.arrivals("crm"))
      if (each.from == where) newest = each.fencing_token;
    return newest;
  }
  target_status delivering(const std::string& instance) const {
    for (const auto& each : world.status(instance).targets)
      if (each.sink == "crm") return each;
    return {};
  }
  halted_partition stops(const topic_partition& where, const std::string& instance = "one") {
    halted_partition found;
    EXPECT_TRUE(eventually([&] {
      for (const auto& each : delivering(instance).halted)
        if (each.where == where) return found = each, true;
      return false;
    }));
    return found;
  }
  /// Its position has got to the end: whoever starts anew delivers nothing again.
  void settle() { world.advance(3s); }

  std::function<std::optional<receipt>(const delivery&)> says = [](const delivery&) { return receipt::done(); };
};

std::string words(std::string_view step) {
  std::string name{step};
  std::ranges::replace(name, ' ', '_');
  return name;
}

TEST_F(ordered, brings_everything_once_and_in_the_order_of_its_key_if_nothing_fails) {
  create("orders", 4);
  write("orders", 30);
  start("one");
  start("two");
  EXPECT_TRUE(delivered());
  write("orders", 30);
  EXPECT_TRUE(delivered());
  EXPECT_EQ(repeated(), 0u);
  EXPECT_TRUE(identified());
  EXPECT_TRUE(eventually([&] { return ready("one") && ready("two"); }));
  EXPECT_EQ(delivering("one").records_written + delivering("two").records_written, 240u);
}

TEST_F(ordered, delivers_a_record_as_it_is) {
  create("orders", 2);
  write("orders");
  world.write(
      "home", "orders", 1,
      {.key = "customer", .value = std::nullopt, .timestamp = 1234, .headers = {{"h", "1"}, {"n", std::nullopt}}});
  start("one");
  ASSERT_TRUE(eventually([&] { return world.arrivals("crm").size() == 3; }));
  const auto& last = *std::ranges::find(world.arrivals("crm"), "sync/crm/home/orders/1/1/0", &arrival::idempotency_key);
  EXPECT_EQ(last.what,
            (raw_record{.key = "customer", .timestamp = 1234, .headers = {{"h", "1"}, {"n", std::nullopt}}}));
  EXPECT_EQ(last.from, orders_1);
  EXPECT_EQ(last.offset, 1);
  EXPECT_GT(last.fencing_token, 0);
}

TEST_F(ordered, numbers_what_is_made_of_one_record) {
  create("orders");
  scenario::write(orders_0, {.key = "k", .value = "one two three"});
  topology t{"sync"};
  t.from(topic<std::string, std::string>{"orders"}) | flat_map([](const std::string& words) {
    return std::vector{words.substr(0, 3), words.substr(4, 3), words.substr(8)};
  }) | filter([](const std::string& word) { return word != "two"; }) |
      ordered_sink("crm", [](const delivery&) {});
  start("one", t);
  ASSERT_TRUE(eventually([&] { return world.arrivals("crm").size() == 2; }));
  EXPECT_EQ(world.arrivals("crm")[0].idempotency_key, "sync/crm/home/orders/0/0/0");
  EXPECT_EQ(world.arrivals("crm")[1].idempotency_key, "sync/crm/home/orders/0/0/1");
  EXPECT_EQ(world.arrivals("crm")[1].what.value, "three");
}

TEST_F(ordered, calls_its_function_where_nothing_stands_for_the_destination) {
  create("orders");
  write("orders", 5);
  std::vector<std::string> called;
  topology t{"sync"};
  t.from(topic<bytes, bytes>{"orders"}) |
      ordered_sink("mail", [&called](const delivery& what) { called.push_back(what.value.str()); });
  start("one", t);
  EXPECT_TRUE(eventually([&] { return called.size() == 5; }));
}

TEST_F(ordered, is_waited_for_by_nobody_else) {
  targets = {"tokyo"};
  create("orders", 2);
  write("orders", 3);
  says = [](const delivery&) { return std::nullopt; };
  topology t{"sync"};
  auto orders = t.from(topic<bytes, bytes>{"orders"});
  orders | ordered_sink("crm", [](const delivery&) {}, {.ahead = 5});
  orders | fan_out("regions", targets);
  start("one", t);
  for (int i = 0; i < 10; ++i) {
    write("orders", 20);
    EXPECT_TRUE(copied("orders"));
  }
}

TEST_F(ordered, commits_as_far_as_everything_is_delivered) {
  create("orders");
  write("orders", 9);
  says = [&](const delivery& what) { return what.value == "b #4" ? receipt::retriable("away") : receipt::done(); };
  start("one");
  EXPECT_TRUE(eventually([&] { return taken()[0].size() == 7; }));  // of b only the first
  EXPECT_TRUE(eventually([&] { return !ready("one") && delivering("one").trouble; }));
  EXPECT_EQ(delivering("one").trouble->text, "away");
  settle();
  stop("one");
  says = [](const delivery&) { return receipt::done(); };
  start("one");
  EXPECT_TRUE(delivered());
  settle();
  // What stood before offset 4 did not come again.
  EXPECT_EQ(repeated(), 3u);
  EXPECT_TRUE(ready("one"));
}

TEST_F(ordered, says_once_what_fails_now_and_then) {
  create("orders");
  says = [calls = 0](const delivery&) mutable {
    return ++calls % 3 == 0 ? receipt::retriable("away") : receipt::done();
  };
  start("one");
  write("orders", 60);
  EXPECT_TRUE(delivered());
  EXPECT_EQ(std::ranges::count_if(world.log(), [](const auto& line) { return line.ends_with("away"); }), 1);
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
  world.advance(15s);
  EXPECT_TRUE(said("home/crm: going on"));
}

TEST_F(ordered, a_key_that_fails_holds_up_its_partition_at_a_bound_and_no_other) {
  create("orders", 2);
  says = [&](const delivery& what) { return what.key == "stuck" ? receipt::retriable("away") : receipt::done(); };
  start("one", delivers(retry(forever, {10ms, 500ms}), {.ahead = 10}));
  write(orders_0, "stuck");
  for (int i = 0; i < 50; ++i) write(orders_0, "a");
  for (int i = 0; i < 50; ++i) write(orders_1, "a");
  EXPECT_TRUE(all_of(orders_1));
  settle();
  EXPECT_THAT(taken()[0], SizeIs(9));
  says = [](const delivery&) { return receipt::done(); };
  EXPECT_TRUE(delivered());
  EXPECT_EQ(repeated(), 0u);
}

TEST_F(ordered, repeats_after_a_crash_no_more_than_the_bound) {
  create("orders");
  says = [&](const delivery& what) { return what.key == "stuck" ? receipt::retriable("away") : receipt::done(); };
  start("one", delivers(retry(forever, {10ms, 500ms}), {.ahead = 10}));
  write(orders_0, "stuck");
  for (int i = 0; i < 50; ++i) write(orders_0, "a");
  settle();
  world.crash("one");
  says = [](const delivery&) { return receipt::done(); };
  start("one");
  EXPECT_TRUE(delivered());
  EXPECT_EQ(repeated(), 9u);
}

TEST_F(ordered, repeats_nothing_after_a_stop) {
  create("orders", 2);
  start("one");
  for (int i = 0; i < 20; ++i) {
    write("orders", 5);
    world.advance(7ms);
    stop("one");
    start("one");
  }
  EXPECT_TRUE(delivered());
  EXPECT_EQ(repeated(), 0u);
  EXPECT_TRUE(identified());
}

TEST_F(ordered, repeats_nothing_when_lanes_move_in_order) {
  create("orders", 4);
  start("one");
  for (int i = 0; i < 10; ++i) {
    write("orders", 5);
    start("two");
    world.advance(1s);
    write("orders", 5);
    stop("two");
  }
  EXPECT_TRUE(delivered());
  EXPECT_EQ(repeated(), 0u);
  EXPECT_TRUE(identified());
}

TEST_F(ordered, gives_up_with_its_lanes_what_waits) {
  create("orders", 4);
  world.destination(
      "crm", [this](const delivery& what) { return says(what); }, 300ms);
  start("one");
  write("orders", 3);
  ASSERT_TRUE(delivered());
  for (int i = 0; i < 3; ++i) {
    write("orders", 60);
    world.advance(1s);
    start("two");
    world.advance(10s);
    stop("two");
  }
  EXPECT_TRUE(delivered());
  EXPECT_TRUE(identified(false));
}

TEST_F(ordered, gives_lanes_back_in_time_although_a_delivery_takes_for_ever) {
  create("orders", 4);
  says = [](const delivery& what) { return what.key == "hangs" ? std::nullopt : std::optional{receipt::done()}; };
  start("one");
  write(orders_0, "hangs");
  write("orders", 3);
  EXPECT_TRUE(all_of(orders_1));
  start("two");
  EXPECT_TRUE(eventually(
      [&] {
        write(orders_1, "a");
        return delivering("two").lanes.size() == 2 && delivering("one").lanes.size() == 2;
      },
      3ms));
  EXPECT_TRUE(all_of(orders_1));
  EXPECT_EQ(repeated([](const arrival& each) { return each.from == orders_1; }), 0u);
  EXPECT_FALSE(said("has gone on without this worker"));
}

TEST_F(ordered, tries_again_what_stopped_a_partition_when_its_lane_is_begun_anew) {
  create("orders", 4);
  says = [](const delivery& what) {
    if (what.key == "bad") return receipt::permanent("never");
    return what.key == "stuck" ? receipt::retriable("away") : receipt::done();
  };
  for (std::int32_t number = 0; number < 4; ++number)
    for (const auto* key : {"a", "stuck", "a", "bad"}) write({"orders", number}, key);
  start("one");
  ASSERT_TRUE(eventually([&] { return delivering("one").halted.size() == 4; }));
  start("two");
  ASSERT_TRUE(eventually([&] { return delivering("two").lanes.size() == 2; }));
  says = [](const delivery& what) { return what.key == "bad" ? receipt::permanent("never") : receipt::done(); };
  for (auto& each : written["orders"]) each.resize(3);
  EXPECT_TRUE(delivered());
  EXPECT_TRUE(eventually([&] { return delivering("one").halted.size() + delivering("two").halted.size() == 4; }));
}

TEST_F(ordered, raises_its_right_whenever_another_takes_over) {
  create("orders");
  write("orders");
  start("one");
  ASSERT_TRUE(delivered());
  for (const auto* each : {"two", "three", "two"}) {
    const auto before = token_of(orders_0);
    settle();
    world.crash(each == std::string{"three"} ? "two" : each == std::string{"two"} && before > 3 ? "three" : "one");
    write("orders");
    start(each);
    ASSERT_TRUE(delivered());
    EXPECT_GT(token_of(orders_0), before);
  }
  EXPECT_TRUE(identified());
}

TEST_F(ordered, a_process_that_was_thought_dead_delivers_under_an_older_right) {
  create("orders", 4);
  start("one");
  start("two");
  write("orders", 2);
  ASSERT_TRUE(delivered());
  ASSERT_TRUE(eventually([&] { return delivering("one").lanes.size() == 2; }));
  world.destination(
      "crm", [this](const delivery& what) { return says(what); }, 5s);
  write("orders", 10);
  world.advance(3s);
  world.freeze("one");
  world.destination("crm", [this](const delivery& what) { return says(what); });
  EXPECT_TRUE(eventually([&] { return delivering("two").lanes.size() == 4; }));
  EXPECT_TRUE(delivered());
  world.thaw("one");
  write("orders", 3);
  EXPECT_TRUE(delivered());
  EXPECT_TRUE(identified(false));
  // A destination that looks at the right has each key in order at any time, repetitions by its owner aside.
  std::map<topic_partition, std::int64_t> highest;
  std::set<std::pair<topic_partition, std::int64_t>> taken;
  std::map<std::pair<topic_partition, std::string>, std::int64_t> last;
  for (const auto& each : world.arrivals("crm")) {
    auto& newest = highest[each.from];
    if (each.fencing_token < newest) continue;
    if (each.fencing_token > std::exchange(newest, each.fencing_token)) last.clear();
    auto& before = last.try_emplace({each.from, *each.what.key}, -1).first->second;
    const bool is_repetition = !taken.emplace(each.from, each.offset).second;
    EXPECT_TRUE(each.offset >= before || is_repetition) << to_string(each.from) << " " << each.offset << ", " << before;
    before = each.offset;
  }
}

class ordered_with_a_crash_at : public ordered, public ::testing::WithParamInterface<std::string_view> {
 protected:
  /// Taking over is done once.
  std::vector<int> times() const { return GetParam() == steps[0] ? std::vector{1, 1, 1} : std::vector{1, 2, 3}; }
};
INSTANTIATE_TEST_SUITE_P(step, ordered_with_a_crash_at, ::testing::ValuesIn(steps),
                         [](const auto& each) { return words(each.param); });

TEST_P(ordered_with_a_crash_at, loses_nothing_and_keeps_the_order_of_each_key) {
  create("orders", 4);
  write("orders", 6);
  for (const int nth : times()) {
    start("one");
    world.crash_at("one", GetParam(), nth);
    EXPECT_TRUE(eventually([&] { return write("orders"), !world.is_running("one"); })) << "never passed";
  }
  start("one");
  EXPECT_TRUE(delivered());
  EXPECT_TRUE(identified());
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_P(ordered_with_a_crash_at, loses_nothing_when_another_takes_over) {
  create("orders", 4);
  write("orders", 6);
  start("one");
  start("two");
  world.crash_at("one", GetParam(), 2);
  EXPECT_TRUE(eventually([&] { return write("orders"), !world.is_running("one") || GetParam() == steps[0]; }));
  world.crash("one");
  EXPECT_TRUE(delivered());
  EXPECT_TRUE(identified());
}

TEST_P(ordered_with_a_crash_at, writes_a_letter_once) {
  create("orders", 2);
  says = [](const delivery& what) { return what.key == "b" ? receipt::permanent("never") : receipt::done(); };
  for (const int nth : times()) {
    start("one", delivers(dead_letter("{topic}.dlq")));
    world.crash_at("one", GetParam(), nth);
    EXPECT_TRUE(eventually([&] { return write("orders", 2), !world.is_running("one"); }, 50ms)) << "never passed";
  }
  start("one", delivers(dead_letter("{topic}.dlq")));
  auto letters = written["orders"];
  for (auto& each : letters) std::erase_if(each, [](const auto& value) { return value.front() != 'b'; });
  for (auto& each : written["orders"]) std::erase_if(each, [](const auto& value) { return value.front() == 'b'; });
  EXPECT_TRUE(delivered());
  EXPECT_TRUE(eventually([&] { return at("home", "orders.dlq") == letters; }));
  settle();
  EXPECT_EQ(at("home", "orders.dlq"), letters);
}

class ordered_refusal : public ordered {
 protected:
  ordered_refusal() {
    create("orders", 2);
    write("orders", 2);
    write(orders_0, "bad");
    write("orders", 4);
    says = [](const delivery& what) {
      return what.key == "bad" ? receipt::permanent("400 Bad Request") : receipt::done();
    };
  }
  void without_the_bad_one() { written["orders"][0].erase(written["orders"][0].begin() + 2); }
};

TEST_F(ordered_refusal, stops_its_partition_and_no_other) {
  start("one", delivers(retry(forever)));
  const auto stopped = stops(orders_0);
  EXPECT_EQ(stopped.offset, 2);
  EXPECT_THAT(stopped.why, AllOf(HasSubstr("crm: 400 Bad Request"), HasSubstr("offset 2")));
  EXPECT_TRUE(said("home/crm: orders/0 stops at offset 2"));
  EXPECT_FALSE(ready("one"));
  EXPECT_TRUE(all_of(orders_1));
  write(orders_1, "a");
  EXPECT_TRUE(all_of(orders_1));
  settle();
  stop("one");
  says = [](const delivery&) { return receipt::done(); };
  start("one");
  EXPECT_TRUE(delivered());
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(ordered_refusal, stops_when_its_tries_are_over) {
  says = [](const delivery& what) { return what.key == "bad" ? receipt::retriable("busy") : receipt::done(); };
  start("one", delivers(retry(3, {10ms, 20ms})));
  EXPECT_THAT(stops(orders_0).why, HasSubstr("crm: busy (tried 4 times)"));
  EXPECT_EQ(delivering("one").retried, 3u);
}

TEST_F(ordered_refusal, is_passed_over_and_counted) {
  start("one", delivers(skip));
  without_the_bad_one();
  EXPECT_TRUE(delivered());
  EXPECT_EQ(delivering("one").records_refused, 1u);
  EXPECT_TRUE(said("skipped offset 2 of orders/0: 400 Bad Request"));
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(ordered_refusal, is_dead_lettered_at_home) {
  start("one", delivers(retry(2, {1ms, 1ms}).then(dead_letter("{topic}.dlq"))));
  without_the_bad_one();
  EXPECT_TRUE(delivered());
  EXPECT_TRUE(eventually([&] { return at("home", "orders.dlq") == contents{{"bad #2"}, {}}; }));
  const auto letter = world.read("home", "orders.dlq")[0][0];
  EXPECT_EQ(letter.key, "bad");
  EXPECT_THAT(letter.headers,
              AllOf(Contains(raw_header{"flow.node", "crm"}), Contains(raw_header{"flow.reason", "refused"}),
                    Contains(raw_header{"flow.text", "400 Bad Request"}), Contains(raw_header{"flow.offset", "2"}),
                    Contains(raw_header{"flow.attempts", "1"})));
  EXPECT_EQ(delivering("one").dead_letters, 1u);
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(ordered_refusal, whose_letter_is_too_large_stops_its_partition) {
  world.create_topic("home", "orders.dlq", 2, {{"max.message.bytes", "10"}});
  start("one", delivers(dead_letter("{topic}.dlq")));
  EXPECT_THAT(stops(orders_0).why, HasSubstr("its dead letter: "));
  EXPECT_EQ(stops(orders_0).offset, 2);
  EXPECT_TRUE(all_of(orders_1));
  EXPECT_EQ(repeated(), 0u);
}

TEST_F(ordered_refusal, whose_letter_cannot_be_written_yet_holds_its_partition) {
  const std::string name(246, 'o');
  create(name, 1);
  for (const auto* key : {"a", "bad", "a"}) write({name, 0}, key);
  topology t{"sync"};
  t.from(topic<bytes, bytes>{name}) |
      ordered_sink("crm", [](const delivery&) {}).on_failure(dead_letter("{topic}.dlq"));
  start("one", t);
  ASSERT_TRUE(eventually([&] { return world.arrivals("crm").size() == 3; }));
  settle();
  ASSERT_TRUE(delivering("one").trouble);
  EXPECT_THAT(delivering("one").trouble->text, HasSubstr("a topic cannot be called"));
  stop("one");
  start("one", t);
  EXPECT_TRUE(eventually([&] { return world.arrivals("crm").size() == 5; })) << "it was passed over";
}

TEST_F(ordered_refusal, is_dead_lettered_as_it_was_read) {
  topology t{"sync"};
  t.from(topic<bytes, std::string>{"orders"}) | map([](const std::string& value) { return "mapped " + value; }) |
      ordered_sink("crm", [](const delivery&) {}).on_failure(dead_letter("{topic}.dlq"));
  start("one", t);
  EXPECT_TRUE(eventually([&] { return at("home", "orders.dlq") == contents{{"bad #2"}, {}}; }));
}

TEST_F(ordered_refusal, whose_letter_only_the_cluster_refuses_is_found_among_others) {
  world.create_topic("home", "orders.dlq", 2);
  bool away = true;
  // All letters wait for the first record, and go into one transaction.
  says = [&](const delivery& what) {
    if (what.key == "first") return what.attempt < 8 ? receipt::retriable("busy") : receipt::done();
    if (!what.value.view().starts_with("bad")) return receipt::done();
    return away ? receipt::retriable("away") : receipt::permanent("400 Bad Request");
  };
  write(orders_1, "first");
  for (int i = 0; i < 8; ++i)
    scenario::write(orders_1, {.key = std::to_string(i), .value = "bad " + std::string(i == 5 ? 2000 : 20, 'x')});
  start("one", delivers(dead_letter("{topic}.dlq")));
  ASSERT_TRUE(eventually([&] { return said("away"); }));
  world.delete_topic("home", "orders.dlq");
  world.create_topic("home", "orders.dlq", 2, {{"max.message.bytes", "1000"}});
  away = false;
  EXPECT_THAT(stops(orders_1).why, HasSubstr("home/crm refuses the record"));
  EXPECT_EQ(stops(orders_1).offset, 12);
  EXPECT_EQ(at("home", "orders.dlq").at(1).size(), 5u);
}

}  // namespace
}  // namespace flow::testing

/// What only some values have bytes for.
struct picky {
  std::string text;
};
template <>
struct flow::codec<picky> {
  static picky decode(bytes raw) { return {raw.str()}; }
  static bytes encode(const picky& value, std::string&) {
    if (value.text.starts_with("b")) throw std::runtime_error{"has no bytes"};
    return value.text;
  }
};

namespace flow::testing {
namespace {

class ordered_without_bytes : public ordered, public ::testing::WithParamInterface<std::string_view> {};
INSTANTIATE_TEST_SUITE_P(step, ordered_without_bytes, ::testing::ValuesIn(steps),
                         [](const auto& each) { return words(each.param); });

// What fails before it gets to the destination waits for its turn as well.
TEST_P(ordered_without_bytes, is_dead_lettered_once) {
  create("orders", 2);
  topology t{"sync"};
  t.from(topic<bytes, std::string>{"orders"}) | map([](const std::string& value) { return picky{value}; }) |
      ordered_sink("crm", [](const delivery&) {}).on_failure(dead_letter("{topic}.dlq"));
  for (int i = 0; i < 4; ++i) {
    start("one", t);
    world.crash_at("one", GetParam(), GetParam() == steps[0] ? 1 : 2);
    EXPECT_TRUE(eventually([&] { return write("orders", 3), !world.is_running("one"); }, 30ms));
  }
  start("one", t);
  auto letters = written["orders"];
  for (auto& each : letters) std::erase_if(each, [](const auto& value) { return value.front() != 'b'; });
  for (auto& each : written["orders"]) std::erase_if(each, [](const auto& value) { return value.front() == 'b'; });
  EXPECT_TRUE(delivered());
  EXPECT_TRUE(eventually([&] { return at("home", "orders.dlq") == letters; }));
}

TEST_F(ordered, goes_on_when_home_was_away) {
  create("orders", 2);
  start("one");
  write("orders", 3);
  ASSERT_TRUE(delivered());
  for (int i = 0; i < 5; ++i) {
    write("orders", 5);
    world.advance(1ms * (i * 3));
    world.cut("home");
    world.advance(20s);
    world.heal("home");
  }
  EXPECT_TRUE(delivered());
  EXPECT_TRUE(identified());
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
}

TEST_F(ordered, forgets_what_waits_when_its_position_could_not_be_committed) {
  create("orders", 2);
  world.destination(
      "crm", [this](const delivery& what) { return says(what); }, 2s);
  start("one");
  write("orders", 3);
  ASSERT_TRUE(delivered());
  for (int i = 0; i < 3; ++i) {
    write("orders", 60);
    world.advance(5s);
    world.cut("home");
    world.advance(20s);
    world.heal("home");
    world.advance(10s);
  }
  EXPECT_TRUE(delivered());
  EXPECT_TRUE(identified());
}

TEST_F(ordered, notices_a_topic_that_was_made_anew_behind_what_it_has_not_delivered) {
  options.lanes = 1;
  create("orders", 2);
  write("orders", 3);
  start("one");
  ASSERT_TRUE(delivered());
  settle();
  stop("one");
  says = [](const delivery& what) { return what.from.partition == 0 ? receipt::retriable("away") : receipt::done(); };
  start("one");
  write("orders");
  ASSERT_TRUE(all_of(orders_1));
  settle();
  stop("one");
  world.recreate_topic("home", "orders");
  for (int i = 0; i < 9; ++i)
    for (const auto number : {0, 1})
      world.write("home", "orders", number, {.key = "a", .value = "new", .timestamp = 1});
  start("one");
  EXPECT_THAT(stops(orders_0).why, HasSubstr("is not the record that was read there"));
}

/// The time of a dedup is that of the position, and not of what has been read beyond it: a record that is left out is
/// left out again, although the one that decided about it has been forgotten since.
class ordered_behind_a_dedup : public ordered {
 protected:
  ordered_behind_a_dedup() {
    options.lanes = 1;
    create("orders", 2);
    says = [](const delivery& what) { return what.key == "stuck" ? receipt::retriable("away") : receipt::done(); };
    const auto then = world.wall_clock();
    const auto write_at = [&](std::chrono::milliseconds time, const std::string& value) {
      scenario::write(orders_0, {.key = value, .value = value, .timestamp = then + time.count()});
    };
    write_at(0s, "stuck"), write_at(1s, "a"), write_at(8s, "b"), write_at(15s, "b");
    for (int i = 0; i < 4; ++i) write_at(22s + i * 7s, std::string(1, static_cast<char>('c' + i)));
    start("one", deduplicated());
    EXPECT_TRUE(eventually([&] { return world.arrivals("crm").size() > 6; }));
  }
  void expect_that_all_is_delivered_and_b_once() {
    says = [](const delivery&) { return receipt::done(); };
    EXPECT_TRUE(eventually([&] { return taken()[0].size() == 7; }));
    settle();
    EXPECT_GT(repeated(), 0u);
    EXPECT_EQ(different("b"), 1u);
  }
};

TEST_F(ordered_behind_a_dedup, judges_after_a_crash_as_before) {
  // Another partition moves, so that a position is written.
  scenario::write(orders_1, {.key = "x", .value = "x", .timestamp = world.wall_clock()});
  settle();
  world.crash("one");
  start("one", deduplicated());
  expect_that_all_is_delivered_and_b_once();
}

TEST_F(ordered_behind_a_dedup, judges_as_before_what_is_read_again_when_its_lane_stays) {
  settle();
  start("two", deduplicated());
  EXPECT_TRUE(eventually([&] { return said("two: home/crm") || ready("two"); }));
  world.advance(5s);
  expect_that_all_is_delivered_and_b_once();
}

// What decides about a record behind the one that is stuck lies before it, and has been forgotten since.
TEST_F(ordered, reads_again_for_its_dedups_what_the_place_it_turns_back_to_has_to_know) {
  options.lanes = 1;
  options.share_seen = false;
  create("orders", 2);
  says = [](const delivery& what) { return what.key == "stuck" ? receipt::retriable("away") : receipt::done(); };
  const auto then = world.wall_clock();
  const auto write_at = [&](const topic_partition& where, std::chrono::milliseconds time, const std::string& value) {
    scenario::write(where, {.key = value, .value = value, .timestamp = then + time.count()});
  };
  write_at(orders_0, 0s, "a"), write_at(orders_0, 0s, "b"), write_at(orders_0, 8s, "stuck"), write_at(orders_0, 9s, "b");
  for (int i = 0; i < 4; ++i) write_at(orders_0, 16s + i * 7s, std::string(1, static_cast<char>('c' + i)));
  start("one", deduplicated());
  EXPECT_TRUE(eventually([&] { return different("f") == 1; }));
  world.advance(10s);
  // Another partition moves, so that a position is written.
  write_at(orders_1, 0s, "x");
  settle();
  world.crash("one");
  world.lose_state("one");
  start("one", deduplicated());
  says = [](const delivery&) { return receipt::done(); };
  EXPECT_TRUE(eventually([&] { return taken()[0].size() == 7; }));
  settle();
  EXPECT_TRUE(said("reads orders/0 again from offset 0 to 2"));
  EXPECT_EQ(different("b"), 1u);
}

TEST_F(ordered, keeps_its_letters_exactly_once_where_targets_are_promised_less) {
  options.promised = guarantee::at_least_once;
  create("orders", 2);
  write("orders", 5);
  says = [](const delivery& what) { return what.key == "b" ? receipt::permanent("never") : receipt::done(); };
  for (const auto step : {"sent", "offsets sent"}) {
    start("one", delivers(dead_letter("{topic}.dlq")));
    world.crash_at("one", step, 2);
    EXPECT_TRUE(eventually([&] { return write("orders", 2), !world.is_running("one"); }));
  }
  auto letters = written["orders"];
  for (auto& each : letters) std::erase_if(each, [](const auto& value) { return value.front() != 'b'; });
  start("one", delivers(dead_letter("{topic}.dlq")));
  EXPECT_TRUE(eventually([&] { return at("home", "orders.dlq") == letters; }));
}

/// Processes that come and go, a destination and a home that are well and unwell.
class ordered_in_turmoil : public ordered, public ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(seed, ordered_in_turmoil, ::testing::Range(0, 60));

TEST_P(ordered_in_turmoil, loses_nothing_and_keeps_the_order_of_each_key) {
  for (int i = 0; i < GetParam() * 7; ++i) world.random();
  const auto below = [&](std::uint64_t bound) { return static_cast<int>(world.random() % bound); };
  create("orders", 1 + below(4));
  const delivery_options how{.in_flight = 1 + below(8), .batch = 1 + below(4), .ahead = 1 + below(40)};
  std::uint64_t failing_in = 0;
  says = [&](const delivery&) -> std::optional<receipt> {
    if (failing_in > 0 && world.random() % failing_in == 0)
      return below(8) == 0 ? std::nullopt
                           : std::optional{receipt::retriable(
                                 "unwell", below(2) ? std::optional{1ms * below(500)} : std::nullopt)};
    return receipt::done();
  };
  // Who never hears of a delivery waits for it for ever; a real destination has a limit.
  const std::vector<std::string> instances{"one", "two", "three"};
  const auto any = [&] { return instances[static_cast<std::size_t>(below(3))]; };
  bool had_zombies = false;
  for (int i = 0; i < 150; ++i) {
    write("orders", below(4));
    world.advance(1ms * below(400));
    failing_in = below(3) ? 0 : 1 + static_cast<std::uint64_t>(below(5));
    const auto who = any();
    const auto known = world.internals().processes.contains(who) && world.is_running(who);
    switch (below(10)) {
      case 0:
        if (known) world.crash(who);
        break;
      case 1:
        if (known) world.stop(who);
        break;
      case 2:
        if (known) world.crash_at(who, steps[static_cast<std::size_t>(below(std::size(steps)))], 1 + below(3));
        break;
      case 3:
        if (known && !world.is_frozen(who)) world.freeze(who), had_zombies = true;
        break;
      case 4:
        if (known) world.thaw(who);
        break;
      case 5:
        world.cut("home");
        break;
      default:
        world.heal("home");
        if (!known) start(who, delivers(retry(forever, {10ms, 500ms}), how));
    }
  }
  world.heal("home");
  failing_in = 0;
  for (const auto& each : instances)
    if (world.internals().processes.contains(each)) world.crash(each);
  start("one", delivers(retry(forever, {10ms, 500ms}), how));
  EXPECT_TRUE(delivered());
  EXPECT_TRUE(identified(!had_zombies));
  EXPECT_TRUE(eventually([&] { return ready("one") && delivering("one").lanes.size() == 4; }));
  settle();
  const auto before = world.arrivals("crm").size();
  stop("one");
  start("one", delivers(retry(forever, {10ms, 500ms}), how));
  settle();
  EXPECT_EQ(world.arrivals("crm").size(), before) << "the position was not at the end";
}

}  // namespace
}  // namespace flow::testing
