#include "scenario.hpp"

#include <algorithm>
#include <map>

namespace flow::testing {
namespace {

using text_record = record<std::string, std::string>;

/// Counts the records of a key, and says so.
struct counter {
  using state = std::int64_t;
  using output = std::string;
  void operator()(const text_record& r, process_context<counter>& here) const {
    if (r.value() == "forget") {
      here.state().reset();
      return;
    }
    if (r.value() == "fail") {
      here.state() = 1'000'000;
      here.emit("never");
      throw std::runtime_error{"as it was told"};
    }
    here.state() = here.state().value_or(0) + 1;
    here.emit(r.value() + " is " + std::to_string(*here.state()));
  }
};

/// Says of each key when it has been silent for a minute of the stream.
struct silence {
  using state = std::string;
  using output = std::string;
  void operator()(const text_record& r, process_context<silence>& here) const {
    here.state() = r.value();
    here.call_at_stream_time(r.timestamp() + 60'000);
  }
  void on_stream_time(const std::string& key, process_context<silence>& here) const {
    here.emit(key + " is silent since " + here.state().value_or("ever"));
    here.state().reset();
  }
};

/// Gathers what comes for a key, and gives it out ten seconds after the first of it.
struct gathering {
  using state = std::string;
  using output = std::string;
  void operator()(const text_record& r, process_context<gathering>& here) const {
    if (!here.state()) here.call_after(10s);
    here.state() = here.state().value_or("") + r.value();
  }
  void on_wall_clock(const std::string&, process_context<gathering>& here) const {
    here.emit(*here.state());
    here.state().reset();
  }
};

class processes : public scenario {
 protected:
  processes() { create("orders", 2); }

  template <typename P>
  topology with(P what, policy on_failure = flow::stop) const {
    topology t{"sync"};
    t.from(topic<std::string, std::string>{"orders"}) | flow::process("made", what).on_failure(on_failure) |
        fan_out("regions", targets);
    return t;
  }

  void give(std::int32_t partition, const std::string& key, const std::string& value, std::int64_t timestamp = 1'000) {
    world.write("home", "orders", partition, {.key = key, .value = value, .timestamp = timestamp});
  }

  /// Every target comes to hold just this.
  AssertionResult made(const contents& expected) {
    for (const auto& target : targets)
      if (!eventually([&] { return at(target, "made") == expected; }))
        return ::testing::AssertionFailure() << target << " has " << ::testing::PrintToString(at(target, "made"))
                                             << ", not " << ::testing::PrintToString(expected);
    world.advance(3s);
    for (const auto& target : targets)
      if (at(target, "made") != expected) return ::testing::AssertionFailure() << target << " got more";
    return ::testing::AssertionSuccess();
  }

  std::size_t how_many_made() {
    std::size_t all = 0;
    for (const auto& each : at("tokyo", "made")) all += each.size();
    return all;
  }

  /// How often what is kept has changed.
  std::size_t changes() {
    std::size_t all = 0;
    for (const auto& each : world.read("home", "sync.home.made.changelog.internal")) all += each.size();
    return all;
  }

  /// Numbered records of three keys in both partitions, and what a counter makes of them.
  void count(int records) {
    for (int i = 0; i < records; ++i)
      for (std::int32_t p = 0; p < 2; ++p) {
        const std::string key(1, static_cast<char>('a' + world.random() % 3));
        const auto value = std::to_string(number_++);
        give(p, key, value);
        expected_[static_cast<std::size_t>(p)].push_back(value + " is " + std::to_string(++counts_[{p, key}]));
      }
  }

  contents expected_ = contents(2);

 private:
  std::map<std::pair<std::int32_t, std::string>, int> counts_;
  int number_ = 0;
};

TEST_F(processes, what_they_make_has_key_time_and_headers_of_the_record) {
  world.write("home", "orders", 1, {.key = "k", .value = "v", .timestamp = 1234, .headers = {{"h", "1"}}});
  start("one", with(counter{}));
  ASSERT_TRUE(made({{}, {"v is 1"}}));
  const auto out = world.read("tokyo", "made")[1][0];
  EXPECT_EQ(out.key, "k");
  EXPECT_EQ(out.timestamp, 1234);
  EXPECT_EQ(out.headers, (decltype(out.headers){{"h", "1"}}));
}

TEST_F(processes, count_every_record_once_for_all_targets_whatever_crashes) {
  targets = {"tokyo", "oregon"};
  for (const auto step : steps)
    for (const int nth : {1, 3}) {
      start("one", with(counter{}));
      world.crash_at("one", step, nth);
      count(5);
      ASSERT_TRUE(eventually([&] { return !world.is_running("one"); })) << step;
    }
  start("one", with(counter{}));
  EXPECT_TRUE(made(expected_));
}

TEST_F(processes, keep_nothing_in_the_process_alone) {
  start("one", with(counter{}));
  count(20);
  ASSERT_TRUE(made(expected_));
  world.crash("one");
  world.lose_state("one");
  start("two", with(counter{}));
  count(20);
  EXPECT_TRUE(made(expected_));
}

TEST_F(processes, take_what_they_keep_along_when_lanes_move) {
  start("one", with(counter{}));
  count(10);
  start("two", with(counter{}));
  count(10);
  ASSERT_TRUE(made(expected_));
  stop("one");
  count(10);
  EXPECT_TRUE(made(expected_));
}

TEST_F(processes, are_not_taken_in_by_who_was_thought_dead) {
  for (const auto step : {"begun", "sent", "offsets sent", "committed"}) {
    start("one", with(counter{}));
    ASSERT_TRUE(eventually([&] { return ready("one"); }));
    world.freeze_at("one", step, 3);
    count(10);
    ASSERT_TRUE(eventually([&] { return world.is_frozen("one"); })) << step;
    start("two", with(counter{}));
    count(10);
    ASSERT_TRUE(made(expected_)) << step;
    world.thaw("one");
    count(10);
    ASSERT_TRUE(made(expected_)) << step;
    world.crash("one");
    world.crash("two");
  }
}

TEST_F(processes, know_what_was_committed_behind_what_somebody_has_left_open) {
  options.session = 1s;
  start("one", with(counter{}));
  count(5);
  ASSERT_TRUE(made(expected_));
  world.freeze_at("one", "sent", 1);
  count(5);
  ASSERT_TRUE(eventually([&] { return world.is_frozen("one"); }));
  start("two", with(counter{}));
  count(5);
  ASSERT_TRUE(eventually([&] { return at("tokyo", "made") == expected_; }));
  world.crash("two");
  start("three", with(counter{}));
  count(5);
  EXPECT_TRUE(made(expected_));
}

TEST_F(processes, forget_a_key_that_has_nothing_left) {
  start("one", with(counter{}));
  give(0, "k", "a");
  EXPECT_TRUE(eventually([&] { return working("one", "home").kept_keys == 1; }));
  give(0, "k", "forget");
  give(0, "k", "b");
  give(0, "k", "forget");
  ASSERT_TRUE(made({{"a is 1", "b is 1"}, {}}));
  ASSERT_TRUE(eventually([&] {
    int changes = 0;
    bool forgotten = false;
    for (const auto& lane : world.read("home", "sync.home.made.changelog.internal"))
      for (const auto& change : lane) ++changes, forgotten = !change.value;
    return changes == 4 && forgotten;
  }));
  EXPECT_EQ(working("one", "home").kept_keys, 0u);
}

TEST_F(processes, have_changed_nothing_where_they_fail) {
  start("one", with(counter{}, skip));
  give(0, "k", "a");
  give(0, "k", "fail");
  give(0, "k", "b");
  EXPECT_TRUE(made({{"a is 1", "b is 2"}, {}}));
  stop("one");
  start("one", with(counter{}));
  give(0, "k", "fail");
  give(1, "k", "c");
  EXPECT_THAT(stops(orders_0, "one", "home").why, HasSubstr("as it was told"));
  EXPECT_TRUE(made({{"a is 1", "b is 2"}, {"c is 1"}}));
}

TEST_F(processes, are_called_when_the_stream_has_come_to_a_time) {
  give(0, "a", "1", 10'000);
  give(0, "b", "2", 11'000);
  give(0, "a", "3", 40'000);
  give(0, "c", "4", 70'999);
  start("one", with(silence{}));
  ASSERT_TRUE(made({{}, {}}));
  give(0, "c", "5", 71'000);
  ASSERT_TRUE(made({{"b is silent since 2"}, {}}));
  stop("one");
  start("two", with(silence{}));
  give(0, "d", "6", 140'000);
  EXPECT_TRUE(made({{"b is silent since 2", "a is silent since 3", "c is silent since 5"}, {}}));
  const auto out = world.read("tokyo", "made")[0];
  EXPECT_EQ(out[1].key, "a");
  EXPECT_EQ(out[1].timestamp, 100'000);
  EXPECT_EQ(out[2].timestamp, 131'000);
}

TEST_F(processes, one_absurd_timestamp_calls_nobody) {
  give(0, "a", "1", 10'000);
  give(0, "b", "2", 11'000);
  give(0, "b", "3", world.wall_clock() + 1000 * 24 * 3600 * 1000ll);
  give(0, "b", "4", 12'000);
  start("one", with(silence{}));
  EXPECT_TRUE(made({{}, {}}));
}

TEST_F(processes, are_called_when_the_clock_on_the_wall_has_come_to_a_time) {
  start("one", with(gathering{}));
  give(0, "k", "a");
  give(0, "k", "b");
  world.advance(9s);
  give(0, "k", "c");
  EXPECT_TRUE(made({{"abc"}, {}}));
  // And by whoever has the lane then.
  give(0, "k", "d");
  ASSERT_TRUE(eventually([&] { return working("one", "home").commits > 0 && ready("one"); }));
  world.advance(2s);
  stop("one");
  world.advance(1min);
  start("two", with(gathering{}));
  EXPECT_TRUE(made({{"abc", "d"}, {}}));
}

TEST_F(processes, are_called_once_whatever_crashes) {
  contents expected(2);
  for (const auto step : steps)
    for (const int nth : {1, 3}) {
      start("one", with(gathering{}));
      const auto value = std::string{step} + std::to_string(nth);
      give(0, "k", value);
      ASSERT_TRUE(eventually([&] { return ready("one"); }));
      world.advance(8s);
      world.crash_at("one", step, nth);
      world.run_until([&] { return !world.is_running("one"); }, 20s);
      if (world.is_running("one")) world.crash("one");
      start("one", with(gathering{}));
      expected[0].push_back(value);
      ASSERT_TRUE(made(expected)) << step;
      world.crash("one");
    }
}

/// Fails at its third record, as often as it is told; and is called before that.
struct stumbling {
  using state = std::int64_t;
  using output = std::string;
  void operator()(const text_record& r, process_context<stumbling>& here) const {
    here.state() = here.state().value_or(0) + 1;
    here.emit(r.value() + " is " + std::to_string(*here.state()));
    if (r.value() == "c" && ++*failed < 4) throw std::runtime_error{"not yet"};
    here.call_at_stream_time(r.timestamp() + 1);
  }
  void on_stream_time(const std::string&, process_context<stumbling>& here) const {
    here.state() = *here.state() * 10;
    here.emit("times ten is " + std::to_string(*here.state()));
  }
  std::shared_ptr<int> failed = std::make_shared<int>(0);
};

TEST_F(processes, a_record_that_is_tried_again_finds_everything_as_it_was) {
  give(0, "k", "a", 1'000);
  give(0, "k", "b", 1'000);
  give(0, "k", "c", 2'000);
  start("one", with(stumbling{}, retry(5, {10ms, 100ms})));
  EXPECT_TRUE(made({{"a is 1", "b is 2", "times ten is 20", "c is 21"}, {}}));
}

TEST_F(processes, count_a_record_once_that_another_branch_tries_again) {
  topology t{"sync"};
  const auto orders = t.from(topic<std::string, std::string>{"orders"});
  orders | flow::process("made", counter{}) | fan_out("regions", targets);
  orders | peek("check", [tried = std::make_shared<int>(0)](const std::string&) {
    if (++*tried % 3 != 0) throw std::runtime_error{"not yet"};
  }).on_failure(retry(10, {1s, 1s})) | to("checked", {.cluster = "home"});
  start("one", t);
  give(0, "k", "a");
  give(0, "k", "b");
  EXPECT_TRUE(made({{"a is 1", "b is 2"}, {}}));
}

TEST_F(processes, who_was_thought_dead_calls_nobody_either) {
  for (const auto step : {"begun", "sent", "offsets sent"}) {
    start("one", with(gathering{}));
    ASSERT_TRUE(eventually([&] { return ready("one"); }));
    give(0, "k", step);
    world.advance(5s);
    world.freeze_at("one", step, 1);
    ASSERT_TRUE(eventually([&] { return world.is_frozen("one"); })) << step;
    start("two", with(gathering{}));
    expected_[0].push_back(step);
    ASSERT_TRUE(made(expected_)) << step;
    world.thaw("one");
    ASSERT_TRUE(made(expected_)) << step;
    world.crash("one");
    world.crash("two");
    world.advance(1min);
  }
}

struct grumbling {
  using state = bool;
  using output = std::string;
  void operator()(const text_record& r, process_context<grumbling>& here) const {
    here.emit(r.value());
    here.call_at_stream_time(r.timestamp() + 1);
    here.call_after(1s);
  }
  void on_stream_time(const std::string&, process_context<grumbling>& here) const {
    here.emit("never");
    throw std::runtime_error{"called"};
  }
  void on_wall_clock(const std::string&, process_context<grumbling>&) const { throw std::runtime_error{"called up"}; }
};

TEST_F(processes, pass_over_a_call_that_fails_if_they_may) {
  start("one", with(grumbling{}, skip));
  give(0, "k", "a", 1'000);
  give(0, "k", "b", 2'000);
  give(0, "k", "c", 3'000);
  EXPECT_TRUE(made({{"a", "b", "c"}, {}}));
  world.advance(5s);
  give(0, "k", "d", 4'000);
  EXPECT_TRUE(made({{"a", "b", "c", "d"}, {}}));
}

TEST_F(processes, stop_at_a_call_that_fails) {
  start("one", with(grumbling{}));
  give(0, "k", "a", 1'000);
  const auto why = stops(orders_0, "one", "home").why;
  EXPECT_THAT(why, HasSubstr("a call before it: made: called up"));
  EXPECT_THAT(why, HasSubstr("skip such calls"));
  EXPECT_TRUE(made({{"a"}, {}}));
}

struct again_at_once {
  using state = bool;
  using output = std::string;
  void operator()(const text_record& r, process_context<again_at_once>& here) const {
    here.call_at_stream_time(r.timestamp());
  }
  void on_stream_time(const std::string&, process_context<again_at_once>& here) const {
    here.call_at_stream_time(here.stream_time() - 1);
  }
};

TEST_F(processes, do_not_go_round_in_circles) {
  give(0, "k", "a", 1'000);
  give(0, "k", "b", 1'000);
  give(0, "k", "c", 1'000);
  start("one", with(again_at_once{}));
  EXPECT_THAT(stops(orders_0, "one", "home").why, HasSubstr("not later"));
}

struct swapping {
  using state = std::int64_t;
  using output = keyed<std::string, std::int64_t>;
  void operator()(const text_record& r, process_context<swapping>& here) const {
    here.state() = here.state().value_or(0) + 1;
    for (std::int64_t i = 0; i < *here.state(); ++i) here.emit({r.value(), i});
  }
};

TEST_F(processes, may_stand_behind_each_other_and_change_the_key) {
  topology t{"sync"};
  t.from(topic<std::string, std::string>{"orders"}) | flow::process("swapped", swapping{}) |
      map([](std::int64_t n) { return std::to_string(n); }) | repartition("by-value", 1) |
      flow::process("counted", counter{}) | to("out", {.cluster = "tokyo"});
  start("one", t);
  give(0, "k", "a");
  give(0, "k", "b");
  give(0, "k", "a");
  EXPECT_TRUE(eventually([&] {
    return at("tokyo", "out") == contents{{"0 is 1", "0 is 1", "1 is 2", "0 is 2", "1 is 3", "2 is 4"}};
  })) << ::testing::PrintToString(at("tokyo", "out"));
}

TEST_F(processes, keep_one_state_of_a_key_that_comes_by_two_topics) {
  create("returns", 2);
  topology t{"sync"};
  merge(t.from(topic<std::string, std::string>{"orders"}), t.from(topic<std::string, std::string>{"returns"})) |
      flow::process("made", counter{}) | fan_out("regions", targets);
  start("one", t);
  for (int i = 1; i <= 6; ++i) {
    world.write("home", i % 2 ? "orders" : "returns", 0, {.key = "k", .value = "x"});
    ASSERT_TRUE(eventually(
        [&] { return !at("tokyo", "made").empty() && at("tokyo", "made")[0].size() == static_cast<std::size_t>(i); }));
  }
  EXPECT_EQ(at("tokyo", "made")[0].back(), "x is 6");
  stop("one");
  start("two", t);
  world.write("home", "orders", 0, {.key = "k", .value = "x"});
  EXPECT_TRUE(eventually([&] { return at("tokyo", "made")[0].back() == "x is 7"; }));
}

TEST_F(processes, do_not_begin_anew_where_their_changelog_is_gone) {
  start("one", with(counter{}));
  count(3);
  ASSERT_TRUE(made(expected_));
  stop("one");
  world.delete_topic("home", "sync.home.made.changelog.internal");
  start("one", with(counter{}));
  ASSERT_TRUE(eventually([&] { return working("one", "home").trouble.has_value(); }));
  EXPECT_EQ(working("one", "home").trouble->kind, failure_kind::refused);
  EXPECT_THAT(working("one", "home").trouble->text, HasSubstr("made.changelog.internal on home/made is missing"));
}

TEST_F(processes, begin_with_nothing_kept_if_they_are_told_to) {
  start("one", with(counter{}));
  give(0, "k", "a");
  ASSERT_TRUE(made({{"a is 1"}, {}}));
  stop("one");
  world.delete_topic("home", "sync.home.made.changelog.internal");
  options.fresh = true;
  start("one", with(counter{}));
  give(0, "k", "b");
  EXPECT_TRUE(made({{"a is 1", "b is 1"}, {}}));
}

TEST_F(processes, no_letters_are_written_before_them) {
  const auto t = with(counter{}, dead_letter("{topic}.dlq"));
  try {
    t.build({.clusters = {"tokyo"}, .home = "home"});
    FAIL() << "should have thrown";
  } catch (const topology_error& e) {
    EXPECT_THAT(e.what(), HasSubstr("'made' writes dead letters"));
  }
}

struct first_only {
  using state = std::string;
  using output = std::string;
  void operator()(const text_record& r, process_context<first_only>& here) const {
    if (!here.state()) here.emit("first " + r.value());
    here.state() = r.value();
  }
};

TEST_F(processes, lose_no_call_with_at_least_once_either) {
  options.promised = guarantee::at_least_once;
  start("one", with(gathering{}));
  give(0, "k", "a");
  ASSERT_TRUE(eventually([&] { return ready("one") && working("one", "home").commits > 0; }));
  world.advance(5s);
  world.stall("home", {"sync.home.made.records.internal", 0});
  world.advance(8s);
  world.crash("one");
  world.recover("home", {"sync.home.made.records.internal", 0});
  start("one", with(gathering{}));
  EXPECT_TRUE(made({{"a"}, {}}));
}

TEST_F(processes, lose_no_record_with_at_least_once_either) {
  options.promised = guarantee::at_least_once;
  start("one", with(first_only{}));
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  world.advance(5s);
  world.stall("home", {"sync.home.made.records.internal", 0});
  give(0, "k", "a");
  world.advance(1s);
  world.crash("one");
  world.recover("home", {"sync.home.made.records.internal", 0});
  start("one", with(first_only{}));
  EXPECT_TRUE(made({{"first a"}, {}}));
}

TEST_F(processes, hold_up_one_lane_where_a_partition_of_the_changelog_is_sick) {
  create("many", 8);
  topology t{"sync"};
  t.from(topic<std::string, std::string>{"many"}) | flow::process("made", counter{}) | fan_out("regions", targets);
  start("one", t);
  const auto give_all = [&](const std::string& v) {
    for (int p = 0; p < 8; ++p) world.write("home", "many", p, {.key = "k", .value = v, .timestamp = 1'000});
  };
  give_all("a");
  ASSERT_TRUE(eventually([&] { return how_many_made() == 8; }));
  world.stall("home", {"sync.home.made.changelog.internal", 0});
  for (int i = 0; i < 30; ++i) give_all("b"), world.advance(1s);
  eventually([&] { return how_many_made() > 60; });
  EXPECT_GT(how_many_made(), 100u);
}

struct grumbling_on_the_wall {
  using state = bool;
  using output = std::string;
  void operator()(const text_record& r, process_context<grumbling_on_the_wall>& here) const {
    here.emit(r.value());
    here.call_after(1s);
  }
  void on_wall_clock(const std::string&, process_context<grumbling_on_the_wall>&) const {
    throw std::runtime_error{"called up"};
  }
};

struct calling_at_the_beginning {
  using state = bool;
  using output = std::string;
  void operator()(const text_record&, process_context<calling_at_the_beginning>& here) const {
    here.call_at_wall_clock(0);
  }
  void on_wall_clock(const std::string&, process_context<calling_at_the_beginning>& here) const { here.emit("called"); }
};

TEST_F(processes, may_ask_for_a_time_before_all_that_a_record_can_have) {
  start("one", with(calling_at_the_beginning{}));
  give(0, "k", "a");
  EXPECT_TRUE(made({{"called"}, {}}));
}

TEST_F(processes, say_which_call_is_passed_over) {
  start("one", with(grumbling_on_the_wall{}, skip));
  give(0, "k", "a", 1'000);
  EXPECT_TRUE(made({{"a"}, {}}));
  world.advance(20s);
  EXPECT_TRUE(said("called up"));
}

TEST_F(processes, say_that_a_call_is_tried_again) {
  start("one", with(grumbling_on_the_wall{}, retry(100, {1s, 1s})));
  give(0, "k", "a", 1'000);
  EXPECT_TRUE(made({{"a"}, {}}));
  EXPECT_TRUE(eventually([&] { return said("calls again: made: called up"); }));
}

struct shouting {
  using state = std::string;
  using output = std::string;
  void operator()(const text_record& r, process_context<shouting>& here) const {
    if (r.value() == "large") return here.emit(std::string(2'000'000, 'x'));
    if (r.value() == "large state") {
      here.state() = std::string(2'000'000, 'x');
      return;
    }
    if (r.value() == "later") here.call_after(1s);
    here.emit(r.value());
  }
  void on_wall_clock(const std::string&, process_context<shouting>& here) const {
    here.emit(std::string(2'000'000, 'x'));
  }
};

TEST_F(processes, pass_over_what_is_too_large_if_they_may) {
  start("one", with(shouting{}, skip));
  for (const auto* v : {"a", "large", "b"}) give(0, "k", v);
  EXPECT_TRUE(made({{"a", "b"}, {}}));
}

struct swelling {
  using state = std::string;
  using output = std::string;
  void operator()(const text_record& r, process_context<swelling>& here) const {
    here.state() = here.state().value_or("") + r.value();
    here.emit(std::to_string(here.state()->size()));
  }
};

TEST_F(processes, pass_over_a_record_whose_state_is_too_large_if_they_may) {
  start("one", with(swelling{}, skip));
  give(0, "k", "1");
  give(0, "k", std::string(900'000, 'x'));
  give(0, "k", std::string(900'000, 'x'));
  give(0, "k", "1");
  EXPECT_TRUE(made({{"1", "900001", "900002"}, {}}));
  EXPECT_TRUE(said("made.changelog.internal"));
  world.crash("one");
  start("two", with(swelling{}, skip));
  give(0, "k", "1");
  EXPECT_TRUE(made({{"1", "900001", "900002", "900003"}, {}}));
}

TEST_F(processes, a_state_that_is_too_large_stops_its_partition) {
  start("one", with(shouting{}));
  for (const auto* v : {"a", "large state", "b"}) give(0, "k", v);
  EXPECT_THAT(stops(orders_0, "one", "home").why, HasSubstr("made.changelog.internal"));
  EXPECT_TRUE(made({{"a"}, {}}));
}

TEST_F(processes, pass_over_what_a_call_makes_too_large_if_they_may) {
  start("one", with(shouting{}, skip));
  give(0, "k", "later");
  ASSERT_TRUE(made({{"later"}, {}}));
  world.advance(10s);
  give(0, "k", "b");
  EXPECT_TRUE(made({{"later", "b"}, {}}));
}

TEST_F(processes, do_not_begin_anew_where_their_changelog_is_empty) {
  start("one", with(counter{}));
  give(0, "k", "a");
  give(0, "k", "b");
  ASSERT_TRUE(made({{"a is 1", "b is 2"}, {}}));
  stop("one");
  world.delete_topic("home", "sync.home.made.changelog.internal");
  world.create_topic("home", "sync.home.made.changelog.internal", 4, {{"cleanup.policy", "compact"}});
  start("one", with(counter{}));
  give(0, "k", "c");
  eventually([&] { return at("tokyo", "made")[0].size() == 3 || working("one", "home").trouble; });
  EXPECT_EQ(at("tokyo", "made"), (contents{{"a is 1", "b is 2"}, {}}));
  ASSERT_TRUE(working("one", "home").trouble);
  EXPECT_THAT(working("one", "home").trouble->text, HasSubstr("1 keys is gone"));
}

struct looking {
  using state = std::string_view;
  using output = std::string;
  void operator()(const text_record& r, process_context<looking>& here) const {
    if (!here.state()) here.state() = std::string_view{r.value()};
    here.emit(std::string{*here.state()});
  }
};

TEST_F(processes, may_keep_a_view) {
  start("one", with(looking{}));
  const std::string first(64, 'f');
  give(0, "k", first);
  for (const auto* v : {"b", "c", "d"}) give(0, "k", v);
  EXPECT_TRUE(made({{first, first, first, first}, {}}));
}

struct glancing {
  using state = bool;
  using output = std::string_view;
  void operator()(const text_record& r, process_context<glancing>& here) const {
    for (const auto* end : {"!", "?"}) {
      const auto own = r.value() + std::string(40, '-') + end;
      here.emit(own);
    }
  }
};

TEST_F(processes, may_emit_a_view_that_ends_at_once) {
  start("one", with(glancing{}));
  give(0, "k", "a");
  const auto line = "a" + std::string(40, '-');
  EXPECT_TRUE(made({{line + "!", line + "?"}, {}}));
}

/// Wants each key to be called at the time that its record has for it, and fails for one of them.
struct awaiting {
  using state = bool;
  using output = std::string;
  void operator()(const text_record& r, process_context<awaiting>& here) const {
    here.call_at_stream_time(std::stoll(r.value()));
  }
  void on_stream_time(const std::string& key, process_context<awaiting>& here) const {
    if (key == failing) {
      ++*failed;
      throw std::runtime_error{"called up"};
    }
    here.emit(key + " at " + std::to_string(here.stream_time()));
  }
  std::string failing{};
  std::shared_ptr<int> failed = std::make_shared<int>(0);
};

TEST_F(processes, calls_that_one_record_brings_stand_for_themselves) {
  const awaiting what{.failing = "c"};
  start("one", with(what, retry(1'000, {1s, 1s})));
  for (const auto* key : {"b", "c", "a", "d"}) give(0, key, std::to_string(10'000 + key[0]));
  give(0, "late", "90000", 20'000);
  // Those before it are through, although the record that has brought them is not.
  EXPECT_TRUE(made({{"a at 10097", "b at 10098"}, {}}));
  const auto so_far = *what.failed;
  EXPECT_TRUE(eventually([&] { return *what.failed > so_far + 3; }));
  stop("one");
  start("two", with(awaiting{}));
  EXPECT_TRUE(made({{"a at 10097", "b at 10098", "c at 10099", "d at 10100"}, {}}));
}

TEST_F(processes, make_as_many_calls_as_there_is_room_for) {
  options.memory = 8u << 20;
  constexpr std::size_t keys = 20'000;
  start("one", with(awaiting{}));
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  for (std::size_t i = 0; i < keys; ++i) give(0, std::to_string(i), std::to_string(10'000 + i));
  ASSERT_TRUE(eventually([&] { return changes() >= keys; }));
  const auto before = working("one", "home").commits;
  give(0, "late", "1000000", 200'000);
  give(0, "later", "1000000", 200'001);
  ASSERT_TRUE(eventually([&] { return how_many_made() == keys; }));
  EXPECT_EQ(at("tokyo", "made")[0].back(), std::to_string(keys - 1) + " at " + std::to_string(10'000 + keys - 1));
  EXPECT_GT(working("one", "home").commits, before + 3);
}

TEST_F(processes, are_called_at_once_for_a_time_that_has_come_already) {
  start("one", with(awaiting{}));
  give(0, "a", "100000", 50'000);
  give(0, "b", "100000", 50'000);
  give(0, "k", "10000", 50'000);
  EXPECT_TRUE(made({{"k at 50000"}, {}}));
}

TEST_F(processes, count_a_record_once_that_brings_calls) {
  topology t{"sync"};
  t.from(topic<std::string, std::string>{"orders"}) | filter("all", [](const std::string&) { return true; }) |
      flow::process("made", silence{}) | fan_out("regions", targets);
  start("one", t);
  for (int i = 0; i < 20; ++i) give(0, std::to_string(i), "x", 100'000 * (i + 1));
  ASSERT_TRUE(eventually([&] { return how_many_made() == 19; }));
  const auto nodes = world.status("one").nodes;
  EXPECT_EQ(nodes[1].received, 20u);
  EXPECT_EQ(nodes[2].received, 20u);
}

TEST_F(processes, count_a_record_once_that_brings_calls_and_comes_by_two_sources) {
  topology t{"sync"};
  t.from(topic<std::string, std::string>{"orders"}) | filter("all", [](const std::string&) { return true; }) |
      to("copies", {.cluster = "tokyo"});
  t.from(topic<std::string, std::string>{"orders"}) | flow::process("made", silence{}) | fan_out("regions", targets);
  start("one", t);
  // Both are read together then.
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  for (int i = 0; i < 20; ++i) give(0, std::to_string(i), "x", 100'000 * (i + 1));
  ASSERT_TRUE(eventually([&] { return how_many_made() == 19; }));
  const auto nodes = world.status("one").nodes;
  EXPECT_EQ(nodes[1].received, 20u);
  EXPECT_EQ(nodes[4].received, 20u);
}

TEST_F(processes, count_a_record_once_that_brings_calls_of_another) {
  topology t{"sync"};
  const auto orders = t.from(topic<std::string, std::string>{"orders"});
  orders | flow::process("made", counter{}) | fan_out("regions", targets);
  orders | flow::process("silent", silence{}) | to("silences", {.cluster = "tokyo"});
  give(0, "a", "1", 10'000);
  give(0, "b", "2", 11'000);
  give(0, "b", "3", 100'000);
  start("one", t);
  EXPECT_TRUE(made({{"1 is 1", "2 is 1", "3 is 2"}, {}}));
}

TEST_F(processes, a_record_that_comes_twice_may_ask_for_a_time_that_has_come) {
  topology t{"sync"};
  t.from(topic<std::string, std::string>{"orders"}) |
      flat_map([](const std::string& value) { return std::vector{value, value}; }) |
      flow::process("made", silence{}) | fan_out("regions", targets);
  give(0, "a", "1", 200'000);
  give(0, "a", "2", 200'000);
  give(0, "k", "late", 10'000);
  start("one", t);
  EXPECT_TRUE(made({{"k is silent since late"}, {}}));
}

/// Says much of a key when its time has come.
struct boasting {
  using state = bool;
  using output = std::string;
  void operator()(const text_record& r, process_context<boasting>& here) const {
    here.state() = true;
    if (r.value() == "ask") here.call_at_stream_time(r.timestamp() + 60'000);
    if (r.value() != "ask") here.emit(r.value());
  }
  void on_stream_time(const std::string&, process_context<boasting>& here) const { here.emit(std::string(5'000, 'x')); }
};

TEST_F(processes, pass_over_a_call_that_only_the_cluster_refuses) {
  start("one", with(boasting{}, skip));
  give(0, "k", "a", 10'000);
  give(0, "k", "ask", 10'000);
  ASSERT_TRUE(made({{"a"}, {}}));
  world.change_settings("home", "sync.home.made.records.internal", {{"max.message.bytes", "1000"}});
  give(0, "m", "b", 100'000);
  give(0, "n", "c", 100'001);
  EXPECT_TRUE(made({{"a", "b", "c"}, {}}));
}

/// Is called on the wall again and again, and fails where the stream has come to a time.
struct ticking {
  using state = bool;
  using output = std::string;
  void operator()(const text_record& r, process_context<ticking>& here) const {
    here.emit(r.value());
    if (r.value() == "tick") here.call_after(100ms);
    if (r.value() == "ask") here.call_at_stream_time(r.timestamp() + 10'000);
  }
  void on_stream_time(const std::string&, process_context<ticking>&) const { throw std::runtime_error{"called up"}; }
  void on_wall_clock(const std::string&, process_context<ticking>& here) const { here.call_after(100ms); }
};

TEST_F(processes, count_how_often_a_call_has_failed_beside_others_that_do_not) {
  start("one", with(ticking{}, retry(3, {1s, 1s}).then(skip)));
  for (const auto* v : {"tick", "ask"}) give(0, v, v, 10'000);
  give(0, "late", "late", 100'000);
  EXPECT_TRUE(eventually([&] { return at("tokyo", "made") == contents{{"tick", "ask", "late"}, {}}; }));
}

TEST_F(processes, commit_many_records_at_once_that_each_bring_a_call) {
  constexpr std::int64_t records = 2'000;
  for (std::int64_t i = 0; i < records; ++i) give(0, std::to_string(i), std::to_string(1'000 * i + 500), 1'000 * (i + 1));
  options.memory = 64u << 20;
  start("one", with(awaiting{}));
  ASSERT_TRUE(eventually([&] { return how_many_made() == static_cast<std::size_t>(records); }));
  EXPECT_LE(working("one", "home").commits, 20u);
}

struct prompt {
  using state = bool;
  using output = std::string;
  void operator()(const text_record& r, process_context<prompt>& here) const {
    if (r.value() == "ask") here.call_after(100ms);
    here.emit(r.value());
  }
  void on_wall_clock(const std::string&, process_context<prompt>& here) const { here.emit("called"); }
};

TEST_F(processes, are_called_on_the_wall_while_there_is_more_to_read_than_can_be_written) {
  options.memory = 8u << 20;
  constexpr std::size_t records = 20'000;
  give(0, "k", "ask");
  for (std::size_t i = 0; i < records; ++i) give(0, std::to_string(i), std::string(1'000, 'x'));
  start("one", with(prompt{}));
  ASSERT_TRUE(eventually([&] { return working("one", "tokyo").records_written == records + 2; }));
  const auto all = at("tokyo", "made")[0];
  EXPECT_LT(std::ranges::find(all, "called") - all.begin(), 15'000);
}

TEST_F(processes, one_absurd_timestamp_calls_nobody_in_however_many_pieces_it_comes) {
  topology t{"sync"};
  t.from(topic<std::string, std::string>{"orders"}) |
      flat_map([](const std::string& value) { return std::vector(16, value); }) |
      flow::process("made", silence{}) | fan_out("regions", targets);
  give(0, "a", "1", 10'000);
  give(0, "b", "2", 11'000);
  give(0, "b", "3", world.wall_clock() + 1000 * 24 * 3600 * 1000ll);
  give(0, "b", "4", 12'000);
  start("one", t);
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  ASSERT_TRUE(eventually([&] { return changes() > 3; }));
  EXPECT_TRUE(made({{}, {}}));
}

/// Each of its calls asks for one of the other kind.
struct going_round {
  using state = bool;
  using output = std::string;
  void operator()(const text_record& r, process_context<going_round>& here) const {
    here.call_at_stream_time(r.timestamp() + 1'000);
  }
  void on_stream_time(const std::string&, process_context<going_round>& here) const { here.call_at_wall_clock(1); }
  void on_wall_clock(const std::string&, process_context<going_round>& here) const { here.call_at_stream_time(1); }
};

TEST_F(processes, do_not_go_round_in_circles_of_two_kinds) {
  start("one", with(going_round{}));
  give(0, "a", "1", 10'000);
  give(0, "b", "2", 100'000);
  EXPECT_THAT(stops(orders_0, "one", "home").why, HasSubstr("not later than the one it was called for"));
}

TEST_F(processes, make_a_call_that_fails_once_for_all_topics_of_a_state) {
  create("returns", 2);
  const awaiting what{.failing = "k"};
  topology t{"sync"};
  merge(t.from(topic<std::string, std::string>{"orders"}), t.from(topic<std::string, std::string>{"returns"})) |
      flow::process("made", what).on_failure(retry(1'000, {10s, 10s})) | fan_out("regions", targets);
  start("one", t);
  ASSERT_TRUE(eventually([&] { return ready("one"); }));
  give(0, "k", "2000");
  give(0, "other", "100000", 1'500);
  ASSERT_TRUE(eventually([&] { return changes() >= 2; }));
  give(0, "a", "100000", 3'000);
  world.write("home", "returns", 0, {.key = "a", .value = "100000", .timestamp = 3'000});
  ASSERT_TRUE(eventually([&] { return *what.failed > 0; }));
  *what.failed = 0;
  world.advance(100s);
  EXPECT_LE(*what.failed, 21);
}

/// The limit was lowered after the program had asked for it, so that only the cluster knows.
TEST_F(processes, pass_over_what_only_the_cluster_refuses_if_they_may) {
  start("one", with(shouting{}, skip));
  give(0, "k", "a");
  give(0, "k", "later");
  ASSERT_TRUE(made({{"a", "later"}, {}}));
  world.change_settings("home", "sync.home.made.records.internal", {{"max.message.bytes", "1000"}});
  give(0, "k", std::string(5'000, 'x'));
  give(0, "k", "b");
  EXPECT_TRUE(made({{"a", "later", "b"}, {}}));
  EXPECT_EQ(working("one", "home").records_refused, 1u);
}

TEST_F(processes, hold_up_the_takeover_of_no_other_lane_where_the_changelog_has_no_leader) {
  options.lanes = 2;
  start("one", with(counter{}));
  give(0, "k", "a");
  give(1, "k", "a");
  ASSERT_TRUE(made({{"a is 1"}, {"a is 1"}}));
  stop("one");
  world.stall("home", {"sync.home.made.changelog.internal", 0});
  start("two", with(counter{}));
  give(0, "k", "b");
  give(1, "k", "b");
  EXPECT_TRUE(eventually([&] { return how_many_made() == 3; }));
  const auto taken_over = [&] { return world.read("home", "sync.home.made.lanes.internal")[1].size(); };
  const auto once = taken_over();
  world.advance(60s);
  EXPECT_EQ(how_many_made(), 3u);
  EXPECT_EQ(taken_over(), once);
  world.recover("home", {"sync.home.made.changelog.internal", 0});
  EXPECT_TRUE(made({{"a is 1", "b is 2"}, {"a is 1", "b is 2"}}));
}

}  // namespace
}  // namespace flow::testing
