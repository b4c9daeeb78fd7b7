#include <flow/verify.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flow/dead_letters.hpp>
#include <flow/json.hpp>

#include "borrowed_cluster.hpp"
#include "world.hpp"

namespace flow {
namespace {

using kind = difference::kind;
using testing::ElementsAre;
using testing::IsEmpty;

/// Two partitions of orders on their way to tokyo and oregon.
class verifying : public testing::Test {
 protected:
  /// Runs a program until something holds.
  void run(const topology& what, const std::function<bool()>& holds) {
    app running{what, world_.options()};
    ASSERT_TRUE(running.start());
    ASSERT_TRUE(eventually(holds));
    ASSERT_TRUE(running.stop(10s));
  }
  void run_all(const topology& what, std::size_t at_each) {
    run(what, [&] { return world_.count("tokyo") >= at_each && world_.count("oregon") >= at_each; });
  }

  /// What is said of each partition, as "tokyo orders/0".
  std::map<std::string, verified_partition> verified(const topology& as, verify_options how = {}) {
    std::map<std::string, verified_partition> found;
    const auto done = verify(
        as, world_.options(),
        [&](const verified_partition& each) { found[each.cluster + " " + to_string(each.where)] = each; }, how);
    EXPECT_TRUE(done) << to_string(done.error());
    return found;
  }
  /// Why nothing is said of any.
  failure refusal(const topology& as, app_options where, verify_options how = {}) {
    const auto done = verify(
        as, std::move(where), [](const auto& each) { ADD_FAILURE() << to_string(each.where); }, how);
    return done ? failure{} : done.error();
  }
  /// With one more name for a cluster.
  app_options options_with(const std::string& name, const std::string& of) {
    auto options = world_.options();
    options.clusters[name] = {};
    options.connect = [=, connect = world_.clusters.connect()](const std::string& cluster, const auto&... others) {
      return connect(cluster == name ? of : cluster, others...);
    };
    return options;
  }
  static std::vector<std::string> differing(const std::map<std::string, verified_partition>& among) {
    std::vector<std::string> names;
    for (const auto& [name, each] : among)
      if (each.first) names.push_back(name);
    return names;
  }

  world world_{2};
};

/// The same application with an operator in the middle that mistreats records.
template <typename Function>
topology with_mistake(Function of, std::vector<std::string> targets = {"tokyo", "oregon"}) {
  topology t{"copies"};
  t.from(topic<bytes, std::string>{"orders"}) | flat_map(std::move(of)) | fan_out("regions", std::move(targets));
  return t;
}

const std::vector<std::string> both{"tokyo", "oregon"};

TEST_F(verifying, finds_nothing_where_nothing_is_wrong) {
  world_.write_many(40);
  run_all(copies(both), 40);
  const auto found = verified(copies(both));
  ASSERT_EQ(found.size(), 4u);
  EXPECT_THAT(differing(found), IsEmpty());
  for (const auto& [name, each] : found) {
    EXPECT_EQ(each.found.records, 20u) << name;
    EXPECT_EQ(each.found, each.expected) << name;
    EXPECT_EQ(each.behind + each.gone + each.gone_at_home + each.set_aside, 0u) << name;
  }
  EXPECT_EQ(found.at("tokyo orders/0").found, found.at("oregon orders/0").found);
  EXPECT_NE(found.at("tokyo orders/0").found.digest, found.at("tokyo orders/1").found.digest);
}

TEST_F(verifying, tells_what_is_missing) {
  world_.write_many(12);
  run_all(with_mistake(
              [](const std::string& value) { return value == "6" ? std::vector<std::string>{} : std::vector{value}; }),
          11);
  const auto found = verified(copies(both));
  EXPECT_THAT(differing(found), ElementsAre("oregon orders/0", "tokyo orders/0"));
  const auto& of = found.at("tokyo orders/0");
  EXPECT_EQ(of.found.records, 5u);
  EXPECT_EQ(of.expected.records, 6u);
  EXPECT_EQ(of.first->what, kind::missing);
  EXPECT_EQ(of.first->from, (topic_partition{"orders", 0}));
  EXPECT_EQ(of.first->from_offset, 3);
  EXPECT_EQ(to_string(*of.first), "offset 3 of orders/0 is missing, before offset 3");
}

TEST_F(verifying, tells_what_is_missing_at_the_end) {
  world_.write_many(12);
  run_all(with_mistake(
              [](const std::string& value) { return value == "11" ? std::vector<std::string>{} : std::vector{value}; }),
          11);
  run(copies(both), [&, written = false]() mutable {
    if (!std::exchange(written, true)) world_.write("12");
    return world_.count("tokyo") == 12 && world_.count("oregon") == 12;
  });
  const auto found = verified(copies(both));
  EXPECT_THAT(differing(found), ElementsAre("oregon orders/1", "tokyo orders/1"));
  EXPECT_EQ(to_string(*found.at("tokyo orders/1").first), "offset 5 of orders/1 is missing, at the end");
}

TEST_F(verifying, tells_what_is_there_twice) {
  world_.write_many(12);
  run_all(with_mistake([](const std::string& value) {
            return value == "4" ? std::vector{value, value} : std::vector{value};
          }),
          13);
  const auto found = verified(copies(both));
  EXPECT_THAT(differing(found), ElementsAre("oregon orders/0", "tokyo orders/0"));
  const auto& of = found.at("tokyo orders/0");
  EXPECT_EQ(of.first->what, kind::repeated);
  EXPECT_EQ(of.first->from_offset, 2);
  EXPECT_EQ(of.first->offset, 3);
  EXPECT_EQ(to_string(*of.first), "offset 3 is offset 2 of orders/0 once more");
}

TEST_F(verifying, tells_what_has_changed_places) {
  world_.write_many(12);
  run_all(with_mistake([](const std::string& value) {
            // The values lie at home with one timestamp and one key.
            if (value == "4") return std::vector<std::string>{};
            return value == "6" ? std::vector<std::string>{"6", "4"} : std::vector{value};
          }),
          12);
  const auto found = verified(copies(both));
  const auto& of = found.at("oregon orders/0");
  EXPECT_EQ(of.found, of.expected);  // but for the order
  ASSERT_TRUE(of.first);
  EXPECT_EQ(to_string(*of.first), "offset 2 is offset 3 of orders/0, which comes too early");
  EXPECT_THAT(differing(found), ElementsAre("oregon orders/0", "tokyo orders/0"));
}

TEST_F(verifying, tells_what_has_another_value) {
  world_.write_many(12);
  run_all(
      with_mistake([](const std::string& value) { return std::vector{value == "6" ? std::string{"seven"} : value}; }),
      12);
  const auto found = verified(copies(both));
  const auto& of = found.at("tokyo orders/0");
  EXPECT_NE(of.found.digest, of.expected.digest);
  ASSERT_TRUE(of.first);
  EXPECT_EQ(to_string(*of.first), "offset 3 is offset 3 of orders/0 with another value");
  EXPECT_THAT(differing(found), ElementsAre("oregon orders/0", "tokyo orders/0"));
}

TEST_F(verifying, tells_what_nobody_has_written) {
  world_.write_many(12);
  run_all(copies(both), 12);
  world_.clusters.write("tokyo", "orders", 1, {.key = "k", .value = "strange"});
  const auto found = verified(copies(both));
  EXPECT_THAT(differing(found), ElementsAre("tokyo orders/1"));
  EXPECT_EQ(found.at("tokyo orders/1").first->what, kind::unexpected);
}

TEST_F(verifying, looks_at_timestamps_keys_and_headers) {
  const raw_record original{.key = "k", .value = "v", .timestamp = 1'700'000'000'000, .headers = {{"a", "1"}}};
  const auto part_of = [&](auto spoil) {
    world other{2};
    other.clusters.write("home", "orders", 0, original);
    auto spoilt = original;
    spoil(spoilt);
    other.clusters.create_topic("tokyo", "orders", 2);
    other.clusters.write("tokyo", "orders", 0, spoilt);
    std::string part;
    EXPECT_TRUE(verify(copies(), other.options(), [&](const verified_partition& each) {
      if (each.first) part = each.first->part;
    }));
    return part;
  };
  EXPECT_EQ(part_of([](raw_record&) {}), "");
  EXPECT_EQ(part_of([](raw_record& of) { of.timestamp += 1; }), "timestamp");
  EXPECT_EQ(part_of([](raw_record& of) { of.key.reset(); }), "key");
  EXPECT_EQ(part_of([](raw_record& of) { of.headers[0].value = "2"; }), "headers");
  EXPECT_EQ(part_of([](raw_record& of) { of.value = ""; }), "value");
}

TEST_F(verifying, takes_what_is_not_written_yet_for_lag) {
  world_.write_many(12);
  run_all(copies(both), 12);
  world_.write_many(5);
  const auto found = verified(copies(both));
  EXPECT_THAT(differing(found), IsEmpty());
  EXPECT_EQ(found.at("tokyo orders/0").behind, 3u);
  EXPECT_EQ(found.at("tokyo orders/1").behind, 2u);
  EXPECT_EQ(found.at("tokyo orders/0").found.records, 6u);
}

TEST_F(verifying, works_beside_the_running_program) {
  app running{copies(both), world_.options()};
  ASSERT_TRUE(running.start());
  for (int round = 0; round < 20; ++round) {
    world_.write_many(200);
    EXPECT_THAT(differing(verified(copies(both))), IsEmpty()) << "round " << round;
  }
  ASSERT_TRUE(eventually([&] { return world_.count("tokyo") == 4000 && world_.count("oregon") == 4000; }));
  const auto found = verified(copies(both));
  EXPECT_THAT(differing(found), IsEmpty());
  EXPECT_EQ(found.at("oregon orders/1").found.records, 2000u);
  EXPECT_TRUE(running.stop(10s));
}

/// Of two targets, of which one is so far away that all waits for it in the end.
struct distances {
  std::atomic<int> passed = 0;  // records of the source
  bool near_is_left_alone = false;
  bool far_answers = false;
};

class reader_of_a_target final : public port::reader {
 public:
  reader_of_a_target(std::unique_ptr<port::reader> from, bool is_far, distances& of)
      : from_{std::move(from)}, is_far_{is_far}, of_{of} {}

  void assign(source_id id, const topic_partition& where, std::int64_t offset) override {
    if (!is_far_) of_.near_is_left_alone = false;
    from_->assign(id, where, offset);
  }
  void unassign(source_id id) override {
    if (!is_far_) of_.near_is_left_alone = true;
    from_->unassign(id);
  }
  bool poll(fetched& into, std::size_t most) override {
    constexpr int most_that_wait = 1 << 16;
    of_.far_answers = of_.far_answers || (of_.near_is_left_alone && of_.passed >= most_that_wait);
    return (of_.far_answers || !is_far_) && from_->poll(into, most);
  }

 private:
  std::unique_ptr<port::reader> from_;
  bool is_far_;
  distances& of_;
};

class distant_cluster final : public borrowed_cluster {
 public:
  distant_cluster(std::unique_ptr<port::cluster> from, bool is_far, distances& of)
      : borrowed_cluster{std::move(from)}, is_far_{is_far}, of_{of} {}

  std::unique_ptr<port::reader> open_reader(port::reader_options options, port::wake readable) override {
    auto opened = borrowed_cluster::open_reader(options, std::move(readable));
    return std::make_unique<reader_of_a_target>(std::move(opened), is_far_, of_);
  }

 private:
  bool is_far_;
  distances& of_;
};

TEST_F(verifying, is_not_held_up_by_what_a_cluster_has_sent_ahead) {
  constexpr int count = 150'000;
  for (const auto* each : {"tokyo", "oregon"}) world_.clusters.create_topic(each, "orders", 2);
  for (int i = 0; i < count; ++i)
    for (const auto* each : {"home", "tokyo", "oregon"})
      world_.clusters.write(each, "orders", 0, {.value = std::to_string(i), .timestamp = 1});
  distances between;
  auto options = world_.options();
  options.connect = [&, connect = world_.clusters.connect()](const std::string& name, const auto&... others) {
    auto opened = connect(name, others...);
    if (name == "home") return opened;
    return std::unique_ptr<port::cluster>{
        std::make_unique<distant_cluster>(std::move(opened), name == "oregon", between)};
  };
  topology watched{"copies"};
  watched.from(topic<bytes, bytes>{"orders"}) | peek("count", [&](bytes) { ++between.passed; }) |
      fan_out("regions", both);
  std::vector<std::uint64_t> found;
  const auto done = verify(watched, options, [&](const verified_partition& each) {
    EXPECT_FALSE(each.first) << each.cluster;
    if (each.where.partition == 0) found.push_back(each.found.records);
  });
  ASSERT_TRUE(done) << to_string(done.error());
  EXPECT_THAT(found, ElementsAre(count, count));
}

TEST_F(verifying, asks_one_cluster_if_one_is_named) {
  world_.write_many(4);
  run_all(copies(both), 4);
  world_.clusters.cut("oregon");
  const auto found = verified(copies(both), {.cluster = "tokyo"});
  EXPECT_EQ(found.size(), 2u);
  EXPECT_THAT(differing(found), IsEmpty());
}

TEST_F(verifying, follows_rules_and_dedups) {
  const auto rules = [] {
    topology t{"copies"};
    t.from(topic<bytes, std::string>{"orders"}) |
        filter("even", [](const std::string& value) { return std::stoi(value) % 2 == 0; }) |
        dedup(
            "seen", [](const std::string& value) { return value; }, 24h) |
        fan_out("regions", {"tokyo"});
    return t;
  };
  for (int round = 0; round < 2; ++round)
    for (const auto* value : {"0", "1", "2", "3", "4"}) world_.write(value, 1);
  run(rules(), [&] { return world_.count("tokyo") >= 3; });
  const auto found = verified(rules());
  EXPECT_THAT(differing(found), IsEmpty());
  EXPECT_EQ(found.at("tokyo orders/1").expected.records, 3u);
  EXPECT_THAT(differing(verified(copies())), ElementsAre("tokyo orders/1"));
}

TEST_F(verifying, keeps_an_eye_on_partitions_that_several_are_written_to) {
  const auto by_customer = [] {
    topology t{"copies"};
    t.from(topic<bytes, std::string>{"orders"}) | fan_out("regions", {"tokyo", "oregon"}, {.partition = by_key});
    return t;
  };
  const auto write_of = [&](const std::string& key, const std::string& value, std::int32_t partition) {
    world_.clusters.write("home", "orders", partition, {.key = key, .value = value, .timestamp = 1'700'000'000'000});
  };
  for (int i = 0; i < 60; ++i) write_of("customer-" + std::to_string(i % 7), std::to_string(i), i % 2);
  run_all(by_customer(), 60);
  const auto found = verified(by_customer());
  EXPECT_THAT(differing(found), IsEmpty());
  EXPECT_EQ(found.at("tokyo orders/0").found.records + found.at("tokyo orders/1").found.records, 60u);

  const auto value = world_.values("tokyo")[0][0];
  world_.clusters.write("tokyo", "orders", 0, {.key = "customer-0", .value = "60", .timestamp = 1'700'000'000'000});
  EXPECT_THAT(differing(verified(by_customer())), ElementsAre("tokyo orders/0"));
}

TEST_F(verifying, knows_letters_that_lie_at_home) {
  for (const auto* value : {"good", "bad", "fine"}) world_.write(value);
  const auto program = [&] { return checked_copies(dead_letter("{topic}.dlq"), both); };
  run(program(), [&] {
    return world_.count("tokyo") == 2 && world_.count("oregon") == 2 && !world_.values("home", "orders.dlq").empty() &&
           world_.values("home", "orders.dlq")[0].size() == 1;
  });
  auto found = verified(program());
  EXPECT_THAT(differing(found), IsEmpty());
  EXPECT_EQ(found.at("home orders.dlq/0").found.records, 1u);

  // What fails again is a letter once more, and says so.
  ASSERT_TRUE(dead_letters(program(), world_.options()).replay());
  found = verified(program());
  EXPECT_THAT(differing(found), IsEmpty());
  EXPECT_EQ(found.at("home orders.dlq/0").found.records, 2u);

  world_.clusters.write("home", "orders.dlq", 0, world_.clusters.read("home", "orders.dlq")[0][0]);
  found = verified(program());
  EXPECT_THAT(differing(found), ElementsAre("home orders.dlq/0"));
  EXPECT_EQ(found.at("home orders.dlq/0").first->what, kind::repeated);
}

TEST_F(verifying, says_where_the_application_stops_and_counts_what_waits_behind) {
  const auto stops = [](const std::string& at) {
    return with_mistake([at](std::string_view value) {
      if (value == at) throw std::runtime_error{"no order"};
      return std::vector{std::string{value}};
    });
  };
  world_.write_many(40);
  const std::string bad = "10";
  run(stops(bad), [&] { return world_.count("tokyo") >= 25 && world_.count("oregon") >= 25; });
  const auto found = verified(stops(bad));
  EXPECT_THAT(differing(found), IsEmpty());
  std::uint64_t behind = 0;
  std::vector<std::string> stopped;
  for (const auto& [name, each] : found) {
    behind += each.behind;
    for (const auto& stop : each.stopped) {
      stopped.push_back(name);
      EXPECT_EQ(stop.offset, 5);
      EXPECT_THAT(stop.why, testing::HasSubstr("no order"));
    }
  }
  EXPECT_EQ(stopped.size(), 2u);
  EXPECT_EQ(behind, 2 * 14u);
}

TEST_F(verifying, lets_letters_come_late) {
  for (const auto* value : {"good", "bad", "fine"}) world_.write(value);
  run(checked_copies(dead_letter("{topic}.dlq")), [&] {
    return world_.count("tokyo") == 2 && !world_.values("home", "orders.dlq").empty() &&
           world_.values("home", "orders.dlq")[0].size() == 1;
  });
  topology mended{"copies"};
  mended.from(topic<bytes, bytes>{"orders"}) | peek("check", [](bytes) {}).on_failure(dead_letter("{topic}.dlq")) |
      fan_out("regions", {"tokyo"});
  auto found = verified(mended);
  EXPECT_EQ(found.at("tokyo orders/0").set_aside, 1u);
  EXPECT_FALSE(found.at("tokyo orders/0").first);

  ASSERT_TRUE(dead_letters(mended, world_.options()).replay());
  ASSERT_EQ(world_.values("tokyo"), (contents{{"good", "fine", "bad"}, {}}));
  found = verified(mended);
  EXPECT_EQ(found.at("tokyo orders/0").set_aside, 0u);
  EXPECT_FALSE(found.at("tokyo orders/0").first);
}

TEST_F(verifying, knows_what_a_target_does_not_take) {
  world_.clusters.create_topic("tokyo", "orders", 2, {{"max.message.bytes", "2000"}});
  topology t{"copies"};
  t.from(topic<bytes, bytes>{"orders"}) | fan_out("regions", both).on_failure(park_key("{topic}.dlq"));
  const std::string large(4000, 'x');
  for (const auto& value : {std::string{"small"}, large, std::string{"late"}}) world_.write(value);
  run(t, [&] {
    return world_.count("tokyo") == 1 && world_.count("oregon") == 3 && !world_.values("tokyo", "orders.dlq").empty() &&
           world_.values("tokyo", "orders.dlq")[0].size() == 2;
  });
  const auto found = verified(t);
  EXPECT_THAT(differing(found), IsEmpty());
  EXPECT_EQ(found.at("tokyo orders/0").set_aside, 2u);
  EXPECT_EQ(found.at("tokyo orders/0").found.records, 1u);
  EXPECT_EQ(found.at("oregon orders/0").set_aside, 0u);
}

TEST_F(verifying, compares_the_last_of_each_key_where_topics_are_compacted) {
  world_.clusters.create_topic("tokyo", "orders", 2, {{"cleanup.policy", "compact"}});
  world_.write_many(12);  // of one key
  run(copies(), [&] { return world_.count("tokyo") == 12; });
  auto found = verified(copies());
  EXPECT_THAT(differing(found), IsEmpty());
  EXPECT_TRUE(found.at("tokyo orders/0").by_key);
  EXPECT_EQ(found.at("tokyo orders/0").found.records, 1u);
  world_.clusters.write("tokyo", "orders", 0, {.key = "k", .value = "strange"});
  found = verified(copies());
  EXPECT_THAT(differing(found), ElementsAre("tokyo orders/0"));
  EXPECT_EQ(found.at("tokyo orders/0").first->part, "value");
}

TEST_F(verifying, does_not_take_retention_for_loss) {
  world_.write_many(40);
  run_all(copies(both), 40);
  world_.clusters.delete_records("tokyo", "orders", 0, 7);
  world_.clusters.delete_records("home", "orders", 1, 4);
  auto found = verified(copies(both));
  EXPECT_THAT(differing(found), IsEmpty());
  EXPECT_EQ(found.at("tokyo orders/0").gone, 7u);
  EXPECT_EQ(found.at("tokyo orders/0").found.records, 13u);
  EXPECT_EQ(found.at("oregon orders/0").gone, 0u);
  EXPECT_EQ(found.at("oregon orders/1").gone_at_home, 4u);
  EXPECT_EQ(found.at("tokyo orders/1").gone_at_home, 4u);
  world_.clusters.write("tokyo", "orders", 0, {.key = "k", .value = "strange"});
  EXPECT_THAT(differing(verified(copies(both))), ElementsAre("tokyo orders/0"));
}

TEST_F(verifying, does_not_hold_a_dedup_to_what_it_cannot_know_any_more) {
  const auto once = [] {
    topology t{"copies"};
    t.from(topic<bytes, std::string>{"orders"}) |
        dedup(
            "seen", [](const std::string& value) { return value; }, 24h) |
        fan_out("regions", {"tokyo"});
    return t;
  };
  const auto write = [&](const std::string& value, std::chrono::hours at) {
    world_.clusters.write("home", "orders", 0, {.value = value, .timestamp = std::chrono::milliseconds{at}.count()});
  };
  write("0", 1h), write("1", 2h), write("0", 3h), write("2", 24h), write("3", 27h), write("4", 28h);
  run(once(), [&] { return world_.count("tokyo") == 5; });
  world_.clusters.delete_records("home", "orders", 0, 1);
  const auto found = verified(once());
  EXPECT_THAT(differing(found), IsEmpty());
  EXPECT_EQ(found.at("tokyo orders/0").gone_at_home, 3u);
  world_.clusters.write("tokyo", "orders", 0, {.value = "5", .timestamp = 1});
  EXPECT_THAT(differing(verified(once())), ElementsAre("tokyo orders/0"));
}

TEST_F(verifying, begins_where_each_lane_has_begun) {
  world_.write_many(20);
  run(copies(), [&] { return world_.count("tokyo") == 20; });
  auto options = world_.options();
  options.start = end;
  app running{copies(both), options};
  ASSERT_TRUE(running.start());
  ASSERT_TRUE(eventually([&] { return running.status().ready(); }));
  world_.write_many(10);
  ASSERT_TRUE(eventually([&] { return world_.count("tokyo") == 30 && world_.count("oregon") == 10; }));
  ASSERT_TRUE(running.stop(10s));
  const auto found = verified(copies(both));
  EXPECT_THAT(differing(found), IsEmpty());
  EXPECT_EQ(found.at("tokyo orders/0").expected.records, 15u);
  EXPECT_EQ(found.at("oregon orders/0").expected.records, 5u);
}

TEST_F(verifying, calls_no_function_that_is_a_sink) {
  world_.write_many(4);
  int calls = 0;
  topology t{"copies"};
  const auto orders = t.from(topic<bytes, bytes>{"orders"});
  orders | fan_out("regions", {"tokyo"});
  orders | for_each([&calls](bytes) { ++calls; });
  run(t, [&] { return world_.count("tokyo") == 4; });
  const auto before = calls;
  EXPECT_THAT(differing(verified(t)), IsEmpty());
  EXPECT_EQ(calls, before);
}

TEST_F(verifying, is_refused_where_records_go_through_a_topic_that_forgets_them) {
  topology t{"copies"};
  t.from(topic<bytes, bytes>{"orders"}) | repartition("by-customer") | fan_out("regions", {"tokyo"});
  const auto done = verify(t, world_.options(), [](const auto&) {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, failure_kind::refused);
}

TEST_F(verifying, is_refused_where_a_target_is_home_by_another_name) {
  world_.write_many(4);
  const auto options = options_with("kyoto", "home");
  const auto why = refusal(copies({"kyoto"}), options);
  EXPECT_EQ(why.kind, failure_kind::refused);
  EXPECT_EQ(why.text,
            "kyoto is the home cluster home by another name, and what 'regions' writes to orders there would be read "
            "again");
  EXPECT_THAT(why.remedy, testing::HasSubstr("take kyoto out of the targets"));

  topology renaming{"copies"};
  renaming.from(topic<bytes, bytes>{"orders"}) | fan_out("regions", {"kyoto"}, {.rename = "{topic}.copy"});
  app running{renaming, options};
  ASSERT_TRUE(running.start());
  ASSERT_TRUE(eventually([&] { return world_.values("home", "orders.copy") == world_.written; }));
  ASSERT_TRUE(running.stop(10s));
  std::uint64_t records = 0;
  EXPECT_TRUE(verify(renaming, options, [&](const auto& each) { records += each.found.records; }));
  EXPECT_EQ(records, 4u);
}

TEST_F(verifying, is_refused_where_two_targets_are_one_cluster) {
  world_.write_many(4);
  run(copies(), [&] { return world_.count("tokyo") == 4; });
  const auto why = refusal(copies({"tokyo", "kyoto"}), options_with("kyoto", "tokyo"));
  EXPECT_EQ(why.kind, failure_kind::refused);
  EXPECT_EQ(why.text, "kyoto and tokyo are one and the same cluster (memory-tokyo)");
  EXPECT_FALSE(why.remedy.empty());
}

TEST_F(verifying, names_a_topic_that_is_not_there) {
  topology t{"copies"};
  t.from(topics<bytes, bytes>{{"orders", "ordres"}}) | fan_out("regions", {"tokyo"});
  const auto why = refusal(t, world_.options());
  EXPECT_EQ(why.kind, failure_kind::missing);
  EXPECT_EQ(why.text, "on home there is no topic ordres");
  EXPECT_THAT(why.remedy, testing::HasSubstr("correct the name"));
}

TEST_F(verifying, fails_where_there_is_nothing_to_compare) {
  topology patterns{"copies"};
  patterns.from(topics<bytes, bytes>{{"ordres-.*"}}) | fan_out("regions", {"tokyo"});
  EXPECT_EQ(refusal(patterns, world_.options()).text, "no topic on home matches what the topology reads");
  EXPECT_EQ(refusal(copies(), world_.options(), {.cluster = "home"}).text,
            "nothing that the topology writes to home can be compared");
}

TEST_F(verifying, says_where_what_is_next_is_gone) {
  world_.write_many(20);
  run_all(copies(both), 20);
  world_.write_many(20);
  run(copies({"oregon"}), [&] { return world_.count("oregon") == 40; });
  world_.clusters.delete_records("home", "orders", 0, 15);
  const auto found = verified(copies(both));
  EXPECT_THAT(differing(found), IsEmpty());
  EXPECT_THAT(found.at("oregon orders/0").stopped, IsEmpty());
  EXPECT_THAT(found.at("tokyo orders/1").stopped, IsEmpty());
  const auto& waiting = found.at("tokyo orders/0");
  ASSERT_EQ(waiting.stopped.size(), 1u);
  EXPECT_EQ(waiting.stopped[0].where, (topic_partition{"orders", 0}));
  EXPECT_EQ(waiting.stopped[0].offset, 10);
  EXPECT_THAT(waiting.stopped[0].why, testing::HasSubstr("offsets 10..14 are gone from home"));
  EXPECT_EQ(waiting.behind, 5u);
}

TEST_F(verifying, ends_when_it_is_told_to) {
  world_.write_many(4);
  std::stop_source told;
  told.request_stop();
  const auto done = verify(copies(), world_.options(), [](const auto&) {}, {.stop = told.get_token()});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, failure_kind::retriable);
}

}  // namespace
}  // namespace flow
