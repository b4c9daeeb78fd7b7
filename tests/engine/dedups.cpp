#include <algorithm>

#include "scenario.hpp"
#include "simulation.hpp"

namespace flow::testing {
namespace {

/// Events whose value is their id, at times that a test gives them.
class repeated_event : public scenario {
 protected:
  repeated_event() { create("orders", 2); }

  topology once(std::chrono::milliseconds window = 1h) const {
    topology t{"sync"};
    t.from(topic<bytes, std::string>{"orders"}) |
        filter("wanted", [](const std::string& id) { return !id.starts_with("unwanted"); }) |
        dedup("seen", std::identity{}, window) | fan_out("regions", targets);
    return t;
  }
  void given(const topic_partition& where, const std::string& id, std::chrono::milliseconds since_the_start = 0ms) {
    const auto at = start_ + since_the_start.count();
    world.write("home", where.topic, where.partition, {.key = "k", .value = id, .timestamp = at});
  }
  bool comes_to(const contents& expected) {
    return eventually([&] { return std::ranges::all_of(targets, [&](const auto& each) { return at(each, "orders") == expected; }); });
  }
  values in_tokyo(const std::string& topic = "orders") {
    const auto all = at("tokyo", topic);
    return all.empty() ? values{} : all[0];
  }
  std::uint64_t dropped(const std::string& instance = "one") { return world.status(instance).nodes.at(2).dropped; }

 private:
  const std::int64_t start_ = world.wall_clock();
};

TEST_F(repeated_event, is_written_once) {
  given(orders_0, "a"), given(orders_0, "b"), given(orders_0, "a"), given(orders_1, "a");
  start("one", once());
  EXPECT_TRUE(comes_to({{"a", "b"}, {"a"}}));
  given(orders_0, "c"), given(orders_0, "b");
  EXPECT_TRUE(comes_to({{"a", "b", "c"}, {"a"}}));
  EXPECT_EQ(dropped(), 2u);
}

TEST_F(repeated_event, is_known_after_a_restart_without_reading_again) {
  given(orders_0, "a"), given(orders_0, "b");
  start("one", once());
  EXPECT_TRUE(comes_to({{"a", "b"}, {}}));
  stop("one");
  given(orders_0, "b"), given(orders_0, "c");
  start("one", once());
  EXPECT_TRUE(comes_to({{"a", "b", "c"}, {}}));
  EXPECT_FALSE(said("again from offset"));
}

TEST_F(repeated_event, is_known_after_a_crash_and_a_lost_state_directory_because_the_source_is_read_again) {
  given(orders_0, "a"), given(orders_0, "b");
  start("one", once());
  EXPECT_TRUE(comes_to({{"a", "b"}, {}}));
  world.crash("one");
  world.lose_state("one");
  given(orders_0, "b"), given(orders_0, "c");
  start("one", once());
  EXPECT_TRUE(comes_to({{"a", "b", "c"}, {}}));
  EXPECT_TRUE(said("reads orders/0 again from offset 0 to 2"));
  EXPECT_EQ(dropped(), 1u);
}

TEST_F(repeated_event, is_known_to_whoever_takes_over) {
  options.lanes = 2;
  given(orders_0, "a"), given(orders_1, "a");
  start("one", once());
  EXPECT_TRUE(comes_to({{"a"}, {"a"}}));
  start("two", once());
  world.crash("one");
  given(orders_0, "a"), given(orders_1, "a"), given(orders_0, "b");
  EXPECT_TRUE(comes_to({{"a", "b"}, {"a"}}));
}

/// What dedups have seen is there for other workers some seconds later.
class event_seen_by_another : public repeated_event {
 protected:
  event_seen_by_another() {
    given(orders_0, "a"), given(orders_0, "b");
    start("one", once());
    EXPECT_TRUE(comes_to({{"a", "b"}, {}}));
    world.advance(10s);
  }
  void dies() {
    world.crash("one");
    world.lose_state("one");
  }
};

TEST_F(event_seen_by_another, is_known_though_it_is_gone_from_the_source) {
  dies();
  world.delete_records("home", "orders", 0, 1);
  given(orders_0, "a"), given(orders_0, "c"), given(orders_0, "b");
  start("two", once());
  EXPECT_TRUE(comes_to({{"a", "b", "c"}, {}}));
  EXPECT_EQ(dropped("two"), 2u);
  EXPECT_FALSE(said("again from offset"));
  EXPECT_FALSE(said("are not seen"));
}

TEST_F(event_seen_by_another, is_known_beside_what_only_the_source_knows_still) {
  given(orders_0, "c");
  EXPECT_TRUE(comes_to({{"a", "b", "c"}, {}}));
  dies();
  world.delete_records("home", "orders", 0, 1);
  for (const auto* id : {"a", "b", "c", "d"}) given(orders_0, id);
  start("two", once());
  EXPECT_TRUE(comes_to({{"a", "b", "c", "d"}, {}}));
  EXPECT_TRUE(said("reads orders/0 again from offset 2 to 3"));
  EXPECT_FALSE(said("are not seen"));
}

TEST_F(event_seen_by_another, is_known_to_who_has_learned_it_without_asking_again) {
  dies();
  given(orders_0, "a"), given(orders_0, "c");
  start("two", once());
  EXPECT_TRUE(comes_to({{"a", "b", "c"}, {}}));
  world.delete_topic("home", "sync.home.seen.internal");
  world.crash("two");
  given(orders_0, "b"), given(orders_0, "d");
  start("two", once());
  EXPECT_TRUE(comes_to({{"a", "b", "c", "d"}, {}}));
  EXPECT_FALSE(said("orders/0 again from offset 0"));
}

TEST_F(event_seen_by_another, is_none_in_a_topic_that_was_deleted_and_made_anew) {
  dies();
  world.recreate_topic("home", "orders");
  targets = {"oregon"};
  given(orders_0, "x"), given(orders_0, "y");
  start("one", once());
  EXPECT_TRUE(comes_to({{"x", "y"}, {}}));
  dies();
  given(orders_0, "a"), given(orders_0, "x");
  start("two", once());
  EXPECT_TRUE(comes_to({{"x", "y", "a"}, {}}));
}

TEST_F(event_seen_by_another, is_known_to_several_dedups_or_read_again) {
  dies();
  topology t{"sync"};
  t.from(topic<bytes, std::string>{"orders"}) |
      filter("wanted", [](const std::string& id) { return !id.starts_with("unwanted"); }) |
      dedup("seen", std::identity{}, 1h) | dedup("seen-too", std::identity{}, 1h) | fan_out("regions", targets);
  given(orders_0, "a"), given(orders_0, "c");
  start("two", t);
  EXPECT_TRUE(comes_to({{"a", "b", "c"}, {}}));
  EXPECT_TRUE(said("reads orders/0 again from offset 0 to 2"));
}

TEST_F(event_seen_by_another, that_came_too_late_for_its_window_is_read_again_for_a_longer_one) {
  given(orders_0, "x", 3h), given(orders_0, "y", 3h), given(orders_0, "late", 1h);
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 5; }));
  for (int i = 0; i < 20; ++i) given(orders_0, "z" + std::to_string(i), 3h);
  given(orders_0, "late", 30min);
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 26; }));
  world.advance(10s);
  dies();
  given(orders_0, "late", 40min);
  given(orders_0, "end", 3h);
  start("two", once(5h));
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 27; }));
  EXPECT_EQ(in_tokyo().back(), "end");
}

TEST_F(event_seen_by_another, is_read_again_where_it_is_not_shared) {
  dies();
  given(orders_0, "a"), given(orders_0, "c");
  options.share_seen = false;
  start("two", once());
  EXPECT_TRUE(comes_to({{"a", "b", "c"}, {}}));
  EXPECT_TRUE(said("reads orders/0 again from offset 0 to 2"));
}

TEST_F(repeated_event, that_came_before_reading_began_is_none_though_another_has_seen_it) {
  given(orders_0, "a");
  targets = {"oregon"};
  options.start = {start_at::kind::latest, 0};
  start("two", once());
  EXPECT_TRUE(eventually([&] { return ready("two"); }));
  given(orders_0, "b");
  EXPECT_TRUE(comes_to({{"b"}, {}}));
  world.crash("two");
  world.lose_state("two");
  targets = {"tokyo"};
  options.start = {};
  start("one", once());
  EXPECT_TRUE(comes_to({{"a", "b"}, {}}));
  world.advance(10s);
  given(orders_0, "a"), given(orders_0, "c");
  targets = {"oregon"};
  start("two", once());
  EXPECT_TRUE(comes_to({{"b", "a", "c"}, {}}));
}

TEST_F(repeated_event, that_never_came_to_the_second_dedup_does_not_count_there_after_looking_back) {
  options.share_seen = false;
  topology t{"sync"};
  t.from(topic<bytes, std::string>{"orders"}) |
      dedup("by-id", [](const std::string& v) { return v.substr(0, v.find(':')); }, 1h) |
      dedup("by-text", [](const std::string& v) { return v.substr(v.find(':') + 1); }, 5h) |
      fan_out("regions", targets);
  // The second of these is dropped by the first dedup.
  given(orders_0, "a:x", 0min), given(orders_0, "f:f", 30min), given(orders_0, "a:y", 50min);
  for (const auto at : {100min, 150min, 200min, 250min, 300min, 315min})
    given(orders_0, std::to_string(at.count()) + ":" + std::to_string(at.count()), at);
  start("one", t);
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 8; }));
  world.crash("one");
  world.lose_state("one");
  given(orders_0, "b:y", 320min);
  start("one", t);
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 9; }));
}

TEST_F(repeated_event, is_learned_though_events_have_come_all_along) {
  start("one", once());
  constexpr int events = 1'680;
  for (int i = 0; i < events; ++i) {
    given(orders_0, std::to_string(i), 5s * (i / 2));
    if (i % 2 == 1) world.advance(5s);
  }
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == events; }));
  world.advance(10s);
  world.crash("one");
  world.lose_state("one");
  given(orders_0, "1679", 70min), given(orders_0, "end", 70min);
  start("two", once());
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == events + 1; }));
  EXPECT_FALSE(said("again from offset"));
}

TEST_F(repeated_event, that_another_process_filters_otherwise_is_judged_by_its_own) {
  const auto only = [&](const std::string& region) {
    topology t{"sync"};
    t.from(topic<bytes, std::string>{"orders"}) |
        filter(label{region}, [region](const std::string& v) { return v.ends_with(region); }) |
        dedup("seen", [](const std::string& v) { return v.substr(0, 1); }, 1h) | fan_out("regions", targets);
    return t;
  };
  targets = {"tokyo"};
  given(orders_0, "x/jp"), given(orders_0, "e/us");
  start("two", only("jp"));
  EXPECT_TRUE(comes_to({{"x/jp"}, {}}));
  world.crash("two");
  world.lose_state("two");
  targets = {"oregon"};
  start("one", only("us"));
  EXPECT_TRUE(comes_to({{"e/us"}, {}}));
  world.advance(10s);
  targets = {"tokyo"};
  given(orders_0, "e/jp");
  start("two", only("jp"));
  EXPECT_TRUE(comes_to({{"x/jp", "e/jp"}, {}}));
}

TEST_F(repeated_event, does_not_wait_for_a_sick_topic_of_what_others_have_seen) {
  given(orders_0, "a");
  start("one", once());
  EXPECT_TRUE(comes_to({{"a"}, {}}));
  world.advance(10s);
  world.crash("one");
  world.lose_state("one");
  for (std::int32_t p = 0; p < options.lanes; ++p) world.stall("home", {"sync.home.seen.internal", p});
  given(orders_0, "a"), given(orders_0, "b");
  start("two", once());
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 2; }, 60s));
  EXPECT_EQ(dropped("two"), 1u);
}

TEST_F(repeated_event, is_read_again_where_others_have_seen_it_by_another_key) {
  start("one", once());
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
  // Who comes now finds no key there, and offers its own.
  world.delete_topic("home", "sync.home.seen.internal");
  start("two", once());
  EXPECT_TRUE(eventually([&] { return ready("two") && !working("two", "tokyo").lanes.empty(); }));
  contents expected(2);
  for (const auto* id : {"a", "b"}) {
    for (const auto& where : {orders_0, orders_1}) given(where, id);
    for (auto& each : expected) each.push_back(id);
    EXPECT_TRUE(comes_to(expected));
    world.advance(10s);
  }
  world.crash("one");
  for (const auto& where : {orders_0, orders_1})
    for (const auto* id : {"a", "b", "c"}) given(where, id);
  for (auto& each : expected) each.push_back("c");
  EXPECT_TRUE(comes_to(expected));
}

TEST_F(repeated_event, is_known_to_all_that_began_at_once) {
  options.lanes = 8;
  create("payments", 8);
  topology t{"sync"};
  t.from(topic<bytes, std::string>{"payments"}) | dedup("seen", std::identity{}, 1h) | fan_out("regions", targets);
  for (const auto* instance : {"one", "two", "three"}) start(instance, t);
  contents expected(8);
  for (std::int32_t p = 0; p < 8; ++p) {
    for (const auto* id : {"a", "b"}) given({"payments", p}, id);
    expected[static_cast<std::size_t>(p)] = {"a", "b"};
  }
  EXPECT_TRUE(eventually([&] { return at("tokyo", "payments") == expected; }));
  world.advance(10s);
  for (const auto* instance : {"one", "two"}) world.crash(instance), world.lose_state(instance);
  for (std::int32_t p = 0; p < 8; ++p) {
    world.delete_records("home", "payments", p, 1);
    for (const auto* id : {"a", "c", "b"}) given({"payments", p}, id);
    expected[static_cast<std::size_t>(p)].push_back("c");
  }
  EXPECT_TRUE(eventually([&] { return at("tokyo", "payments") == expected; }));
  EXPECT_FALSE(said("are not seen"));
}

TEST_F(repeated_event, that_is_one_of_very_many_is_shared_in_pieces) {
  constexpr int ids = 20'000;
  for (int i = 0; i < ids; ++i) given(orders_0, std::to_string(i));
  start("one", once());
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == ids; }));
  world.advance(10s);
  world.crash("one");
  world.delete_records("home", "orders", 0, ids - 1);
  for (int i = 0; i < ids; i += 400) given(orders_0, std::to_string(i));
  given(orders_0, "a");
  start("two", once());
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == ids + 1; }));
  EXPECT_EQ(in_tokyo().back(), "a");
  EXPECT_EQ(dropped("two"), 50u);
}

TEST_F(repeated_event, is_the_same_for_a_target_that_was_away) {
  targets = {"tokyo", "oregon"};
  given(orders_0, "a"), given(orders_0, "b");
  start("one", once());
  EXPECT_TRUE(comes_to({{"a", "b"}, {}}));
  world.cut("oregon");
  for (int i = 0; i < 50; ++i) given(orders_0, "c" + std::to_string(i)), given(orders_0, "c" + std::to_string(i / 2));
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 52; }));
  world.heal("oregon");
  EXPECT_TRUE(eventually([&] { return at("oregon", "orders") == at("tokyo", "orders"); }));
}

TEST_F(repeated_event, is_not_forgotten_before_the_slowest_target_has_passed_it) {
  targets = {"tokyo", "oregon"};
  given(orders_0, "a"), given(orders_0, "b");
  start("one", once(1min));
  EXPECT_TRUE(comes_to({{"a", "b"}, {}}));
  world.cut("oregon");
  given(orders_0, "a", 30s);
  for (int i = 1; i <= 100; ++i) given(orders_0, "c" + std::to_string(i), 30s + 6s * i);
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 102; }));
  world.advance(20s);
  given(orders_0, "d", 11min);
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 103; }));
  world.advance(20s);
  world.heal("oregon");
  EXPECT_TRUE(eventually([&] { return at("oregon", "orders") == at("tokyo", "orders"); }));
}

TEST_F(repeated_event, is_not_read_again_for_an_ordered_sink_that_waits_for_room) {
  create("mails");
  bool is_away = true;
  std::vector<std::string> taken;
  topology t{"sync"};
  const auto events = t.from(topic<bytes, std::string>{"orders"}) | dedup("seen", std::identity{}, 1min);
  events | ordered_sink("mails", [&](const delivery& what) {
    if (is_away) throw std::runtime_error{"away"};
    taken.push_back(what.value.str());
  }, {.ahead = 2}).on_failure(retry(forever, {1s, 1s}));
  events | fan_out("regions", targets);
  start("one", t);
  for (int i = 0; i < 100; ++i) given(orders_0, std::to_string(i), 6s * i);
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 100; }));
  world.advance(2min);
  given(orders_0, "last", 11min);
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 101; }));
  world.advance(2min);
  is_away = false;
  EXPECT_TRUE(eventually([&] { return taken.size() == 101; }));
  EXPECT_FALSE(said("again from offset"));
}

TEST_F(repeated_event, is_not_forgotten_again_while_it_is_being_read_again_for_the_slowest) {
  options.share_seen = false;
  targets = {"tokyo", "oregon"};
  constexpr std::uint64_t ids = 70'000, later = 20;
  const auto written = [&](const std::string& target) { return working("one", target).records_written; };
  for (std::uint64_t i = 0; i < ids; ++i) given(orders_0, std::to_string(i));
  start("one", once());
  EXPECT_TRUE(eventually([&] { return written("tokyo") == ids && written("oregon") == ids; }));
  world.cut("tokyo");
  given(orders_0, "0", 30min);
  for (std::uint64_t i = 0; i < later; ++i) given(orders_0, "later " + std::to_string(i), 5h);
  EXPECT_TRUE(eventually([&] { return written("oregon") == ids + later; }));
  world.crash("one");
  world.lose_state("one");
  world.heal("tokyo");
  start("one", once());
  EXPECT_TRUE(eventually([&] { return written("tokyo") == later; }));
}

TEST_F(repeated_event, is_known_though_there_is_no_memory_for_it) {
  options.dedup_memory = 0;
  given(orders_0, "a"), given(orders_0, "b"), given(orders_1, "a");
  start("one", once());
  EXPECT_TRUE(comes_to({{"a", "b"}, {"a"}}));
  EXPECT_TRUE(eventually([&] { return world.status("one").seen_on_disk > 0; }));
  given(orders_0, "b"), given(orders_0, "c"), given(orders_1, "c");
  EXPECT_TRUE(comes_to({{"a", "b", "c"}, {"a", "c"}}));
  stop("one");
  start("one", once());
  given(orders_0, "c"), given(orders_1, "a"), given(orders_0, "d");
  EXPECT_TRUE(comes_to({{"a", "b", "c", "d"}, {"a", "c"}}));
  EXPECT_GT(world.status("one").seen_on_disk, 0u);
  EXPECT_EQ(dropped(), 2u);
  EXPECT_FALSE(said("again from offset"));
}

TEST_F(repeated_event, is_known_after_what_was_seen_has_been_merged_on_disk) {
  options.dedup_memory = 0;
  start("one", once());
  values expected;
  for (int i = 0; i < 20; ++i) {
    given(orders_0, expected.emplace_back("a" + std::to_string(i)));
    EXPECT_TRUE(comes_to({expected, {}}));
    world.advance(6s);
  }
  for (const auto& each : expected) given(orders_0, each);
  given(orders_0, "b");
  expected.push_back("b");
  EXPECT_TRUE(comes_to({expected, {}}));
  EXPECT_EQ(dropped(), 20u);
}

TEST_F(repeated_event, waits_while_the_disk_cannot_be_asked_about_it) {
  options.dedup_memory = 0;
  given(orders_0, "a");
  start("one", once());
  EXPECT_TRUE(comes_to({{"a"}, {}}));
  EXPECT_TRUE(eventually([&] { return world.status("one").seen_on_disk > 0; }));
  bool fails = true;
  world.internals().state("one").scratch_fails([&] { return fails; });
  given(orders_0, "a"), given(orders_0, "b"), given(orders_1, "a");
  EXPECT_TRUE(eventually([&] { return said("waits at offset 1 and tries again: seen: the simulated disk cannot be read"); }));
  world.advance(1min);
  EXPECT_TRUE(comes_to({{"a"}, {"a"}}));
  fails = false;
  EXPECT_TRUE(comes_to({{"a", "b"}, {"a"}}));
  EXPECT_EQ(dropped(), 1u);
}

TEST_F(repeated_event, is_not_passed_over_where_failures_are_because_the_disk_cannot_be_asked) {
  options.dedup_memory = 0;
  topology t{"sync"};
  t.from(topic<bytes, std::string>{"orders"}) | dedup("seen", std::identity{}, 1h).on_failure(skip) |
      fan_out("regions", targets);
  given(orders_0, "a");
  start("one", t);
  EXPECT_TRUE(comes_to({{"a"}, {}}));
  EXPECT_TRUE(eventually([&] { return world.status("one").seen_on_disk > 0; }));
  bool fails = true;
  world.internals().state("one").scratch_fails([&] { return fails; });
  given(orders_0, "a"), given(orders_0, "b");
  EXPECT_TRUE(eventually([&] { return said("waits at offset 1"); }));
  fails = false;
  EXPECT_TRUE(comes_to({{"a", "b"}, {}}));
}

TEST_F(repeated_event, is_known_though_the_disk_could_not_be_asked_when_the_source_was_read_again) {
  options.dedup_memory = 0;
  const auto given_all = [&](std::chrono::milliseconds since, const std::string& last) {
    for (int i = 0; i < 20; ++i) given(orders_0, "a" + std::to_string(i), since);
    given(orders_0, last, since);
  };
  given_all(0min, "b");
  start("one", once());
  EXPECT_TRUE(eventually([&] { return world.status("one").seen_on_disk > 0; }));
  given_all(40min, "c");
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 22; }));
  world.crash("one");

  // What the state directory has can be moved to disk, and is not found there.
  bool fails = true;
  int asked = 0;
  world.internals().state("one").scratch_fails([&] { return fails && asked++ > 0; });
  start("one", once());
  EXPECT_TRUE(eventually([&] { return said("orders/0 cannot be read again from offset 21: seen: the simulated disk"); }));
  fails = false;
  given_all(80min, "d");
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 23; }));
  world.advance(1min);
  EXPECT_EQ(in_tokyo().size(), 23u);
}

TEST_F(repeated_event, counts_again_once_it_lies_more_than_the_window_back) {
  given(orders_0, "a", 0h), given(orders_0, "a", 1h), given(orders_0, "x", 3h), given(orders_0, "x2", 3h), given(orders_0, "a", 3h);
  start("one", once());
  EXPECT_TRUE(comes_to({{"a", "x", "x2", "a"}, {}}));
}

TEST_F(repeated_event, is_forgotten_everywhere_at_the_same_record) {
  given(orders_0, "a", 0h), given(orders_0, "b", 30min), given(orders_0, "c", 61min);
  start("one", once());
  EXPECT_TRUE(comes_to({{"a", "b", "c"}, {}}));
  world.crash("one");
  world.lose_state("one");
  // "a" of the first minute lies more than the window behind the stream's time by now, however late this one is.
  given(orders_0, "a", 30min), given(orders_0, "b", 61min);
  start("one", once());
  EXPECT_TRUE(comes_to({{"a", "b", "c", "a"}, {}}));
  EXPECT_TRUE(said("reads orders/0 again from offset 1 to 3"));
}

TEST_F(repeated_event, that_came_before_reading_began_is_none) {
  given(orders_0, "a");
  options.start = {start_at::kind::latest, 0};
  start("one", once());
  EXPECT_TRUE(eventually([&] { return ready("one"); }));
  given(orders_0, "a");
  EXPECT_TRUE(comes_to({{"a"}, {}}));
  world.crash("one");
  world.lose_state("one");
  given(orders_0, "a"), given(orders_0, "b");
  start("one", once());
  EXPECT_TRUE(comes_to({{"a", "b"}, {}}));
}

TEST_F(repeated_event, that_was_filtered_out_before_does_not_count) {
  given(orders_0, "unwanted"), given(orders_0, "unwanted"), given(orders_0, "a");
  start("one", once());
  EXPECT_TRUE(comes_to({{"a"}, {}}));
  EXPECT_EQ(dropped(), 0u);
}

TEST_F(repeated_event, whose_first_occurrence_is_gone_from_the_source_and_from_here_gets_through_and_it_is_said) {
  for (int i = 0; i < 10; ++i) given(orders_0, "a" + std::to_string(i), 1min * i);
  start("one", once());
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 10; }));
  world.crash("one");
  world.lose_state("one");
  world.delete_records("home", "orders", 0, 5);
  given(orders_0, "a2", 10min), given(orders_0, "a7", 10min);
  start("one", once());
  EXPECT_TRUE(eventually([&] { return in_tokyo().size() == 11; }));
  EXPECT_EQ(in_tokyo().back(), "a2");
  EXPECT_TRUE(said("repetitions of what came before offset 5 of orders/0 are not seen"));
}

TEST_F(repeated_event, is_written_once_wherever_its_worker_dies) {
  int number = 0;
  contents expected{{}, {}};
  for (const auto step : steps)
    for (const int nth : {1, 2, 3})
      for (const bool loses_state : {false, true}) {
        for (int i = 0; i < 5; ++i) {
          const auto id = std::to_string(number++);
          given(orders_0, id), given(orders_0, std::to_string(number / 2)), given(orders_1, id), given(orders_1, id);
          expected[0].push_back(id), expected[1].push_back(id);
        }
        start("one", once());
        world.crash_at("one", step, nth);
        eventually([&] { return !world.is_running("one") || at("tokyo", "orders") == expected; });
        if (world.is_running("one")) world.crash("one");
        if (loses_state) world.lose_state("one");
      }
  start("one", once());
  EXPECT_TRUE(comes_to(expected));
}

TEST_F(repeated_event, is_known_by_each_of_several_dedups_in_its_own_way) {
  topology t{"sync"};
  const auto all = t.from(topic<bytes, std::string>{"orders"});
  all | dedup("by-id", std::identity{}, 1h) | to("by-id", {.cluster = "tokyo"});
  all | dedup("by-length", [](const std::string& id) { return id.size(); }, 1h) | to("by-length", {.cluster = "tokyo"});
  given(orders_0, "a"), given(orders_0, "b"), given(orders_0, "aa");
  start("one", t);
  EXPECT_TRUE(eventually([&] { return in_tokyo("by-id") == values{"a", "b", "aa"}; }));
  world.crash("one");
  world.lose_state("one");
  given(orders_0, "b"), given(orders_0, "bb"), given(orders_0, "ccc");
  start("one", t);
  EXPECT_TRUE(eventually([&] { return in_tokyo("by-id") == values{"a", "b", "aa", "bb", "ccc"}; }));
  EXPECT_TRUE(eventually([&] { return in_tokyo("by-length") == values{"a", "aa", "ccc"}; }));
}

TEST_F(repeated_event, is_known_after_a_restart_though_nothing_of_late_came_so_far) {
  given(orders_0, "a");
  start("one", once());
  for (int i = 0; i < 10; ++i) given(orders_0, "unwanted"), world.advance(6s);
  EXPECT_TRUE(comes_to({{"a"}, {}}));
  stop("one");
  given(orders_0, "a"), given(orders_0, "b");
  start("one", once());
  EXPECT_TRUE(comes_to({{"a", "b"}, {}}));
  EXPECT_FALSE(said("again from offset"));
}

TEST_F(repeated_event, is_known_once_the_window_is_longer) {
  given(orders_0, "a", 0h), given(orders_0, "b", 2h), given(orders_0, "c", 2h);
  start("one", once(1h));
  EXPECT_TRUE(comes_to({{"a", "b", "c"}, {}}));
  stop("one");
  world.lose_state("one");
  given(orders_0, "a", 2h), given(orders_0, "d", 2h);
  start("one", once(3h));
  EXPECT_TRUE(comes_to({{"a", "b", "c", "d"}, {}}));
  EXPECT_TRUE(said("reads orders/0 again from offset 0 to"));
}

TEST_F(repeated_event, is_known_to_a_dedup_that_is_new) {
  given(orders_0, "a"), given(orders_0, "b");
  start("one");
  EXPECT_TRUE(comes_to({{"a", "b"}, {}}));
  stop("one");
  given(orders_0, "a"), given(orders_0, "c");
  start("one", once());
  EXPECT_TRUE(comes_to({{"a", "b", "c"}, {}}));
}

/// An event with a time of its own, in minutes since some day, as "id@minutes".
struct timed_event {
  std::string id;
  std::chrono::sys_time<std::chrono::minutes> at;

  static timed_event of(const std::string& text) {
    const auto mark = text.find('@');
    if (mark == text.npos) throw malformed{"is no event"};
    return {text.substr(0, mark), std::chrono::sys_days{std::chrono::year{2040} / 1 / 1} + minutes_of(text.substr(mark + 1))};
  }
  static std::chrono::minutes minutes_of(const std::string& text) { return std::chrono::minutes{std::stoi(text)}; }
};

/// Events that are read at a time of their own, while their records' timestamps say when they were written.
class timed_events : public repeated_event {
 protected:
  topology once(std::chrono::milliseconds window = 1h) const {
    topology t{"sync"};
    t.from(topic<bytes, std::string>{"orders"},
           {.time = [](const std::string& value) { return timed_event::of(value).at; }})
            .on_failure(skip) |
        dedup("seen", [](const std::string& value) { return timed_event::of(value).id; }, window) |
        fan_out("regions", targets);
    return t;
  }
  void given(std::initializer_list<std::string> events) {
    for (const auto& each : events) repeated_event::given(orders_0, each);
  }
};

TEST_F(timed_events, are_the_same_within_the_window_of_their_own_time) {
  given({"a@0", "x@30", "a@60", "y@61", "z@122", "z2@122", "a@122", "a@123"});
  start("one", once());
  EXPECT_TRUE(comes_to({{"a@0", "x@30", "y@61", "z@122", "z2@122", "a@122"}, {}}));
  const auto written = world.read("tokyo", "orders")[0];
  EXPECT_EQ(written[1].timestamp - written[0].timestamp, 30 * 60'000);
}

TEST_F(timed_events, are_forgotten_by_their_own_time_and_read_again_by_it) {
  given({"a@0", "b@30", "c@70", "d@75"});
  start("one", once());
  EXPECT_TRUE(comes_to({{"a@0", "b@30", "c@70", "d@75"}, {}}));
  world.crash("one");
  world.lose_state("one");
  // The first lies more than the window behind by now, the second does not.
  given({"a@20", "b@76", "e@76"});
  start("one", once());
  EXPECT_TRUE(comes_to({{"a@0", "b@30", "c@70", "d@75", "a@20", "e@76"}, {}}));
  EXPECT_TRUE(said("reads orders/0 again from offset 1 to 4"));
}

TEST_F(timed_events, that_have_none_move_no_clock) {
  given({"a@0", "b@1", "nonsense", "more nonsense", "a@2"});
  start("one", once());
  EXPECT_TRUE(comes_to({{"a@0", "b@1"}, {}}));
  EXPECT_EQ(world.status("one").nodes.at(0).skipped, 2u);
}

TEST_F(timed_events, are_written_once_wherever_their_worker_dies) {
  int number = 0;
  contents expected{{}, {}};
  for (const auto step : steps)
    for (const bool loses_state : {false, true}) {
      for (int i = 0; i < 5; ++i, ++number) {
        const auto at = "@" + std::to_string(20 * number);
        given({std::to_string(number) + at, std::to_string(std::max(0, number - 2)) + at});
        expected[0].push_back(std::to_string(number) + at);
      }
      start("one", once());
      world.crash_at("one", step, 2);
      eventually([&] { return !world.is_running("one") || at("tokyo", "orders") == expected; });
      if (world.is_running("one")) world.crash("one");
      if (loses_state) world.lose_state("one");
    }
  start("one", once());
  EXPECT_TRUE(comes_to(expected));
}

TEST_F(timed_events, that_are_read_by_two_sources_are_timed_by_each) {
  topology t{"sync"};
  t.from("own", topic<bytes, std::string>{"orders"}, {.time = [](const std::string& value) { return timed_event::of(value).at; }}) |
      dedup("by-own-time", [](const std::string& value) { return timed_event::of(value).id; }, 1h) | to("own", {.cluster = "tokyo"});
  t.from("written", topic<bytes, std::string>{"orders"}) |
      dedup("by-writing", [](const std::string& value) { return timed_event::of(value).id; }, 1h) |
      to("written", {.cluster = "tokyo"});
  given({"a@0", "b@0", "c@90", "d@90", "a@90"});
  start("one", t);
  EXPECT_TRUE(eventually([&] { return in_tokyo("own") == values{"a@0", "b@0", "c@90", "d@90", "a@90"}; }));
  EXPECT_TRUE(eventually([&] { return in_tokyo("written") == values{"a@0", "b@0", "c@90", "d@90"}; }));
}

}  // namespace
}  // namespace flow::testing
