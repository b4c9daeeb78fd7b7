// What the keys of the configuration make of records, on simulated clusters.
#include "sync.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <flow/testing.hpp>

namespace replicator {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

using values = std::vector<std::string>;

class sync_of : public testing::Test {
 protected:
  sync_of() {
    s_.application = "sync";
    s_.home = "osaka";
    s_.targets = {"tokyo", "oregon"};
    s_.topics.include = {"orders", "payments\\..*"};
    s_.lanes = 4;
    for (const auto* each : {"osaka", "tokyo", "oregon"}) s_.clusters[each];
    world_.create_topic("osaka", "orders");
  }

  void start() { world_.start("one", sync(s_), s_.options()); }
  void write(const std::string& value, const std::string& key = "k", const std::string& topic = "orders") {
    world_.write("osaka", topic, 0, {.key = key, .value = value});
  }
  /// Of the first partition.
  values at(const std::string& cluster, const std::string& topic = "orders") {
    values found;
    try {
      const auto there = world_.read(cluster, topic);
      for (const auto& each : there.at(0)) found.push_back(each.value.value_or("null"));
    } catch (const std::out_of_range&) {
      // It has not been made yet.
    }
    return found;
  }
  /// And stays so.
  bool becomes(const values& expected, const std::string& cluster, const std::string& topic = "orders") {
    const auto is = [&] { return at(cluster, topic) == expected; };
    if (!world_.run_until(is)) return false;
    world_.advance(10s);
    return is();
  }
  const std::string good = R"({"source":"genai-demo.order"})", other = R"({"source":"else"})", broken = R"({"source":)";
  flow::testing::simulation world_;
  settings s_;
};

// ---- events.malformed

TEST_F(sync_of, malformed_events_dead_letters_them_at_home) {
  s_.events.emplace();
  for (const auto& each : {good, broken, other, good}) write(each);
  start();
  EXPECT_TRUE(becomes({good, good}, "tokyo"));
  EXPECT_TRUE(becomes({good, good}, "oregon"));
  EXPECT_TRUE(becomes({broken}, "osaka", "orders.dlq"));
  EXPECT_THAT(at("tokyo", "orders.dlq"), IsEmpty());
}

TEST_F(sync_of, malformed_events_skips_them) {
  s_.events.emplace().malformed = malformed::skip;
  for (const auto& each : {good, broken, good}) write(each);
  start();
  EXPECT_TRUE(becomes({good, good}, "tokyo"));
  EXPECT_THAT(at("osaka", "orders.dlq"), IsEmpty());
}

TEST_F(sync_of, malformed_events_replicates_them_and_dedup_lets_them_pass) {
  s_.events.emplace().malformed = malformed::replicate;
  s_.dedup.emplace();
  for (const auto& each : {good, broken, other, broken}) write(each);
  start();
  EXPECT_TRUE(becomes({good, broken, broken}, "tokyo"));
}

TEST_F(sync_of, malformed_events_stops_their_partition_and_no_other) {
  s_.events.emplace().malformed = malformed::stop;
  world_.create_topic("osaka", "payments.eu");
  for (const auto& each : {good, broken, good}) write(each);
  write(good, "k", "payments.eu");
  start();
  EXPECT_TRUE(becomes({good}, "tokyo", "payments.eu"));
  EXPECT_TRUE(becomes({good}, "tokyo"));
  ASSERT_FALSE(world_.status("one").targets.front().halted.empty());
  EXPECT_EQ(world_.status("one").targets.front().halted.front().offset, 1);
}

// ---- on_failure

/// Tokyo does not take large records.
class refusing : public sync_of {
 protected:
  refusing() {
    s_.topics.sync_settings.clear();
    world_.create_topic("tokyo", "orders", 1, {{"max.message.bytes", "1000"}});
    write("a", "ann"), write(large, "bob"), write("b", "bob"), write("c", "ann");
  }
  const std::string large = std::string(2000, 'x');
  const values all{"a", large, "b", "c"};
};

TEST_F(refusing, stops_there_unless_told_otherwise) {
  start();
  EXPECT_TRUE(becomes(all, "oregon"));
  EXPECT_TRUE(becomes({"a"}, "tokyo"));
}

TEST_F(refusing, skips_what_is_to_be_skipped) {
  s_.on_failure.policy = last_resort::skip;
  start();
  EXPECT_TRUE(becomes({"a", "b", "c"}, "tokyo"));
  EXPECT_TRUE(becomes(all, "oregon"));
  EXPECT_THAT(at("tokyo", "orders.dlq"), IsEmpty());
}

TEST_F(refusing, dead_letters_it_there) {
  s_.on_failure.policy = last_resort::dead_letter;
  s_.on_failure.dead_letter = "{topic}.refused";
  start();
  EXPECT_TRUE(becomes({"a", "b", "c"}, "tokyo"));
  EXPECT_TRUE(becomes({large}, "tokyo", "orders.refused"));
  EXPECT_TRUE(becomes(all, "oregon"));
  EXPECT_THAT(at("oregon", "orders.refused"), IsEmpty());
  EXPECT_THAT(at("osaka", "orders.refused"), IsEmpty());
}

TEST_F(refusing, parks_its_key_until_it_is_released) {
  s_.on_failure.policy = last_resort::park_key;
  start();
  EXPECT_TRUE(becomes({"a", "c"}, "tokyo"));
  EXPECT_TRUE(becomes({large, "b"}, "tokyo", "orders.dlq"));
  EXPECT_TRUE(becomes(all, "oregon"));
  world_.change_settings("tokyo", "orders", {{"max.message.bytes", "10000"}});
  world_.release("tokyo", "sync", {}, "osaka");
  EXPECT_TRUE(becomes({"a", "c", large, "b"}, "tokyo"));
}

TEST_F(refusing, does_not_last_where_the_limit_follows_that_of_home) {
  s_.on_failure.policy = last_resort::stop;
  s_.topics.sync_settings = settings{}.topics.sync_settings;
  start();
  ASSERT_TRUE(becomes(all, "oregon"));
  world_.advance(1min);
  world_.stop("one");
  ASSERT_TRUE(world_.run_until([&] { return !world_.is_running("one"); }));
  start();  // what has stopped goes on with a new start
  EXPECT_TRUE(becomes(all, "tokyo"));
}

// ---- topics

TEST_F(sync_of, topics_that_come_to_match_are_replicated_within_two_seconds) {
  write("a");
  start();
  ASSERT_TRUE(becomes({"a"}, "tokyo"));
  for (int round = 0; round < 5; ++round) {
    const auto topic = "payments." + std::to_string(round);
    const auto begun = world_.wall_clock();
    world_.create_topic("osaka", topic);
    write("b", "k", topic);
    ASSERT_TRUE(
        world_.run_until([&] { return at("tokyo", topic) == values{"b"} && at("oregon", topic) == values{"b"}; }));
    EXPECT_LE(world_.wall_clock() - begun, 2000) << topic;
    world_.advance(100ms * (round + 1));
  }
}

TEST_F(sync_of, partitions_that_a_topic_gets_are_replicated_within_two_seconds) {
  write("a");
  start();
  ASSERT_TRUE(becomes({"a"}, "tokyo"));
  const auto begun = world_.wall_clock();
  world_.add_partitions("osaka", "orders", 2);
  world_.write("osaka", "orders", 1, {.key = "k", .value = "b"});
  ASSERT_TRUE(world_.run_until([&] {
    const auto there = world_.read("tokyo", "orders");
    return there.size() == 2 && there[1].size() == 1;
  }));
  EXPECT_LE(world_.wall_clock() - begun, 2000);
}

// ---- memory

TEST_F(sync_of, dedup_memory_is_what_the_dedups_share) {
  EXPECT_EQ(s_.options().dedup_memory, std::size_t{1} << 30);
  s_.dedup.emplace();
  EXPECT_EQ(s_.options().dedup_memory, std::size_t{1} << 30);
  s_.dedup->memory = flow::byte_size{64u << 20};
  EXPECT_EQ(s_.options().dedup_memory, std::size_t{64} << 20);
  EXPECT_TRUE(s_.options().share_seen);
  s_.dedup->shared = false;
  EXPECT_FALSE(s_.options().share_seen);
}

TEST_F(sync_of, memory_bounds_what_waits_for_a_target_that_is_away) {
  s_.memory = flow::byte_size{16u << 20};
  start();
  ASSERT_TRUE(world_.run_until([&] { return world_.status("one").targets.size() == 2; }));
  world_.advance(2s);
  world_.cut("tokyo");
  const std::string value(10'000, 'v');
  std::size_t most = 0;
  for (int i = 0; i < 3000; ++i) {
    write(value);
    if (i % 20 != 0) continue;
    world_.advance(10ms);
    std::size_t all = 0;
    for (const auto& each : world_.status("one").targets) all += each.buffered;
    most = std::max(most, all);
  }
  EXPECT_GT(most, 1u << 20);
  EXPECT_LE(most, 16u << 20);
  world_.advance(10s);
  EXPECT_EQ(at("oregon").size(), 3000u);
  world_.heal("tokyo");
  world_.advance(2min);
  EXPECT_EQ(at("tokyo").size(), 3000u);
}

}  // namespace
}  // namespace replicator
