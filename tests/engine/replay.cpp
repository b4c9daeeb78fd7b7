#include <algorithm>
#include <set>
#include <stdexcept>

#include <flow/dead_letter.hpp>
#include <flow/replay.hpp>

#include "engine/position.hpp"
#include "scenario.hpp"
#include "simulation.hpp"

namespace flow::testing {
namespace {

using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;

using bad_values = std::set<std::string>;

std::string header_of(const raw_record& of, const std::string& key) {
  for (const auto& each : of.headers)
    if (each.key == key) return each.value.value_or("null");
  return "none";
}

/// Orders that an operator, "check", fails for lie at home as letters, and every target has the others.
class letters_at_home : public scenario {
 protected:
  letters_at_home() {
    targets = {"tokyo", "oregon"};
    create("orders", 2);
  }

  topology checked(const bad_values& bad) const {
    topology t{"sync"};
    t.from(topic<bytes, std::string>{"orders"}) |
        peek("check",
             [bad](const std::string& value) {
               if (bad.contains(value)) throw std::runtime_error{"a bad order"};
             })
            .on_failure(dead_letter("{topic}.dlq")) |
        fan_out("regions", targets).on_failure(dead_letter("{topic}.dlq"));
    return t;
  }

  /// Written in the order of their values, the bad ones among them.
  void given(const bad_values& bad) {
    for (const auto* value : {"a", "b", "c", "d", "e"})
      for (const std::int32_t partition : {0, 1})
        world.write("home", "orders", partition,
                    {.key = "k",
                     .value = value,
                     .timestamp = 1'700'000'000'000 + *value,
                     .headers = {{"trace", value}, {"trace", std::nullopt}}});
    start("one", checked(bad));
    const auto letters = static_cast<std::size_t>(bad.size());
    EXPECT_TRUE(eventually([&] {
      return std::ranges::all_of(targets, [&](const auto& each) { return sizes(each, "orders") == 5 - letters; }) &&
             sizes("home", "orders.dlq") == letters;
    }));
  }

  /// Takes up to what is there now through a topology, as whoever calls `replay` does.
  std::shared_ptr<const plan> replaying(const topology& through, const std::string& cluster = "home",
                                        letter_kind kind = letter_kind::failed) {
    replay_options how{.application = "sync", .home = "home", .cluster = cluster, .kind = kind};
    for (const std::int32_t partition : {0, 1}) {
      const topic_partition where{"orders.dlq", partition};
      how.until[where] = world.internals().cluster(cluster).last_stable(where);
    }
    return replay_of(through.build({.clusters = {"home", "tokyo", "oregon"}}), how);
  }
  void replay(std::shared_ptr<const plan> what, const std::string& cluster = "home") {
    auto how = options;
    how.home = cluster;
    how.fresh = true;
    how.clusters = {{cluster, {}}};
    if (cluster == "home")
      for (const auto& each : targets) how.clusters[each] = {};
    world.start("replay", std::move(what), how);
  }
  void replay(const topology& through) { replay(replaying(through)); }

  /// Of each partition, if all have as many.
  std::size_t sizes(const std::string& cluster, const std::string& topic) {
    const auto all = at(cluster, topic);
    if (all.empty()) return 0;
    return all[0].size() == all[1].size() ? all[0].size() : 99;
  }
  /// Every target comes to hold these in each partition, and nothing more comes after that.
  AssertionResult everywhere(const values& expected) {
    const auto holds = [&] {
      return std::ranges::all_of(targets, [&](const auto& each) {
        return at(each, "orders") == contents{expected, expected};
      });
    };
    if (eventually(holds)) world.advance(30s);
    if (holds()) return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << ::testing::PrintToString(at("tokyo", "orders")) << " and "
                                         << ::testing::PrintToString(at("oregon", "orders"));
  }
  /// How far the replay has committed a partition of the letters on a cluster.
  std::int64_t place(const std::string& cluster, const topic_partition& where) {
    const std::string lanes = "sync.home.replay.home.lanes.internal";
    std::int64_t newest = 0, place = -1;
    if (!world.internals().cluster(cluster).inside()->topics().contains(lanes)) return place;
    for (const auto& lane : world.read(cluster, lanes))
      for (const auto& each : lane) {
        if (each.key != engine::position_key) continue;
        const auto at = engine::decode_position(*each.value).value();
        const auto known = at.sources.find(where);
        if (known != at.sources.end() && at.sequence > newest) newest = at.sequence, place = known->second.next;
      }
    return place;
  }
  node_counts letters_seen() const { return world.status("replay").nodes.back(); }
};

TEST_F(letters_at_home, arrive_everywhere_once_as_the_records_that_they_were) {
  given({"b", "d"});
  stop("one");
  replay(checked({}));
  EXPECT_TRUE(everywhere({"a", "c", "e", "b", "d"}));
  for (const auto& target : targets)
    for (const auto& partition : world.read(target, "orders")) {
      const auto& arrived = partition.at(3);
      EXPECT_EQ(arrived.key, "k");
      EXPECT_EQ(arrived.timestamp, 1'700'000'000'000 + 'b');
      EXPECT_THAT(arrived.headers, ElementsAre(raw_header{"trace", "b"}, raw_header{"trace", std::nullopt}));
    }
  EXPECT_EQ(letters_seen().received, 4u);
  EXPECT_EQ(letters_seen().skipped, 0u);
}

TEST_F(letters_at_home, are_replayed_beside_the_running_program) {
  given({"b", "d"});
  replay(checked({}));
  EXPECT_TRUE(everywhere({"a", "c", "e", "b", "d"}));
  world.write("home", "orders", 0, {.key = "k", .value = "f"});
  world.write("home", "orders", 1, {.key = "k", .value = "f"});
  EXPECT_TRUE(everywhere({"a", "c", "e", "b", "d", "f"}));
}

TEST_F(letters_at_home, are_not_replayed_a_second_time) {
  given({"b"});
  replay(checked({}));
  EXPECT_TRUE(everywhere({"a", "c", "d", "e", "b"}));
  stop("replay");
  replay(checked({}));
  EXPECT_TRUE(everywhere({"a", "c", "d", "e", "b"}));
  EXPECT_EQ(letters_seen().received, 0u);
}

TEST_F(letters_at_home, that_fail_again_are_letters_of_the_same_record_and_are_not_read_again) {
  given({"b", "d"});
  stop("one");
  const auto first = world.read("home", "orders.dlq");
  replay(checked({"d"}));
  EXPECT_TRUE(everywhere({"a", "c", "e", "b"}));
  const auto letters = world.read("home", "orders.dlq");
  for (const auto partition : {0u, 1u}) {
    ASSERT_EQ(letters[partition].size(), 3u);
    const auto& again = letters[partition][2];
    EXPECT_EQ(again.value, "d");
    EXPECT_EQ(again.timestamp, first[partition][1].timestamp);
    EXPECT_EQ(header_of(again, "flow.attempts"), "2");
    for (const auto* key : {"flow.node", "flow.reason", "flow.topic", "flow.partition", "flow.offset", "flow.cluster"})
      EXPECT_EQ(header_of(again, key), header_of(first[partition][1], key)) << key;
  }
  stop("replay");
  replay(checked({}));
  EXPECT_TRUE(everywhere({"a", "c", "e", "b", "d"}));
}

TEST_F(letters_at_home, are_replayed_once_wherever_the_replay_dies) {
  given({"b", "c", "d"});
  stop("one");
  for (const auto step : steps)
    for (const int nth : {1, 2, 3}) {
      replay(checked({"c"}));
      world.crash_at("replay", step, nth);
      eventually([&] { return !world.is_running("replay"); });
      if (world.is_running("replay")) world.crash("replay");
    }
  replay(checked({"c"}));
  EXPECT_TRUE(everywhere({"a", "e", "b", "d"}));
}

TEST_F(letters_at_home, that_come_while_they_are_replayed_are_left_for_the_next_time) {
  given({"b"});
  const auto so_far = replaying(checked({}));
  for (const std::int32_t partition : {0, 1}) world.write("home", "orders", partition, {.key = "k", .value = "b"});
  EXPECT_TRUE(eventually([&] { return sizes("home", "orders.dlq") == 2; }));
  replay(so_far);
  EXPECT_TRUE(everywhere({"a", "c", "d", "e", "b"}));
  EXPECT_EQ(letters_seen().received, 2u);
  stop("replay");
  replay(checked({}));
  EXPECT_TRUE(everywhere({"a", "c", "d", "e", "b", "b"}));
}

TEST_F(letters_at_home, are_passed_to_the_end_by_a_target_that_comes_later) {
  given({"b", "d"});
  stop("one");
  std::map<topic_partition, std::int64_t> ends;
  for (const std::int32_t partition : {0, 1}) {
    const topic_partition where{"orders.dlq", partition};
    ends[where] = world.internals().cluster("home").last_stable(where);
  }
  const auto is_at_the_end = [&](const std::string& cluster) {
    return std::ranges::all_of(ends, [&](const auto& end) { return place(cluster, end.first) == end.second; });
  };
  world.cut("tokyo");
  replay(checked({"d"}));
  EXPECT_TRUE(eventually([&] { return is_at_the_end("home") && is_at_the_end("oregon"); }, 100ms));
  world.heal("tokyo");
  EXPECT_TRUE(eventually([&] { return is_at_the_end("tokyo"); }, 100ms));
}

TEST_F(letters_at_home, wait_for_a_target_that_is_away_and_for_no_other) {
  given({"b"});
  world.cut("oregon");
  replay(checked({}));
  EXPECT_TRUE(eventually([&] { return at("tokyo", "orders")[0] == values{"a", "c", "d", "e", "b"}; }));
  world.heal("oregon");
  EXPECT_TRUE(everywhere({"a", "c", "d", "e", "b"}));
}

TEST_F(letters_at_home, share_the_topic_with_what_is_no_letter) {
  given({"b"});
  for (const std::int32_t partition : {0, 1}) world.write("home", "orders.dlq", partition, {.key = "k", .value = "?"});
  replay(checked({}));
  EXPECT_TRUE(everywhere({"a", "c", "d", "e", "b"}));
  EXPECT_EQ(letters_seen().skipped, 2u);
}

TEST_F(letters_at_home, of_a_node_that_is_gone_stop_the_replay_and_wait) {
  given({"b"});
  replay(copies());
  const auto stopped = stops({"orders.dlq", 0}, "replay");
  EXPECT_THAT(stopped.why, HasSubstr("a letter of 'check', and no node has that name"));
  world.crash("replay");
  replay(checked({}));
  EXPECT_TRUE(everywhere({"a", "c", "d", "e", "b"}));
}

TEST_F(letters_at_home, that_meet_a_target_which_refuses_them_are_letters_there) {
  given({"b"});
  world.delete_topic("tokyo", "orders");
  world.create_topic("tokyo", "orders", 2, {{"cleanup.policy", "compact"}});
  for (const std::int32_t partition : {0, 1}) world.write("home", "orders", partition, {.value = "without a key"});
  EXPECT_TRUE(eventually([&] { return sizes("tokyo", "orders.dlq") == 1; }));
  // As if a node before the sink had failed for it: the same record, as a letter at home.
  auto letter = world.read("tokyo", "orders.dlq")[0][0];
  letter.headers[0].value = "check";
  letter.headers[1].value = "failed";
  world.write("home", "orders.dlq", 0, letter);
  replay(checked({}));
  EXPECT_TRUE(eventually([&] { return at("tokyo", "orders.dlq")[0].size() == 2; }));
  const auto again = world.read("tokyo", "orders.dlq")[0][1];
  EXPECT_EQ(header_of(again, "flow.node"), "regions");
  EXPECT_EQ(header_of(again, "flow.topic"), "orders");
  EXPECT_EQ(header_of(again, "flow.offset"), header_of(letter, "flow.offset"));
  EXPECT_EQ(header_of(again, "flow.attempts"), "2");
  EXPECT_EQ(again.timestamp, letter.timestamp);
}

/// A target did not take some records, and keeps the letters; the other has them.
class letters_on_a_target : public letters_at_home {
 protected:
  void given_refused() {
    world.create_topic("tokyo", "orders", 2, {{"max.message.bytes", "500"}});
    write("orders");
    write(orders_0, {.key = "k", .value = large});
    write(orders_1, {.key = "k", .value = large});
    write("orders");
    start("one", checked({}));
    EXPECT_TRUE(eventually([&] { return sizes("tokyo", "orders.dlq") == 1 && sizes("tokyo", "orders") == 2; }));
    EXPECT_TRUE(eventually([&] { return at("oregon", "orders") == written["orders"]; }));
  }
  /// As if the limit had been raised: the topic's records in another one.
  void given_raised() {
    stop("one");
    const auto so_far = world.read("tokyo", "orders");
    world.delete_topic("tokyo", "orders");
    world.create_topic("tokyo", "orders", 2);
    for (const std::int32_t partition : {0, 1})
      for (const auto& each : so_far[static_cast<std::size_t>(partition)])
        world.write("tokyo", "orders", partition, each);
  }
  void replay_on_tokyo(const topology& through) { replay(replaying(through, "tokyo", letter_kind::refused), "tokyo"); }

  const std::string large = std::string(1000, 'x');
};

TEST_F(letters_on_a_target, go_to_that_one_alone) {
  given_refused();
  given_raised();
  replay_on_tokyo(checked({}));
  EXPECT_TRUE(eventually([&] { return sizes("tokyo", "orders") == 3; }));
  world.advance(30s);
  for (const auto& partition : at("tokyo", "orders")) EXPECT_EQ(partition.at(2), large);
  EXPECT_EQ(at("oregon", "orders"), written["orders"]);
  EXPECT_EQ(sizes("tokyo", "orders.dlq"), 1u);
}

TEST_F(letters_on_a_target, that_are_refused_again_stay_letters_with_their_attempts) {
  given_refused();
  const auto first = world.read("tokyo", "orders.dlq")[0][0];
  replay_on_tokyo(checked({}));
  EXPECT_TRUE(eventually([&] { return sizes("tokyo", "orders.dlq") == 2; }));
  world.advance(30s);
  ASSERT_EQ(sizes("tokyo", "orders.dlq"), 2u);
  const auto again = world.read("tokyo", "orders.dlq")[0][1];
  EXPECT_EQ(again.value, large);
  EXPECT_EQ(header_of(again, "flow.attempts"), "2");
  EXPECT_EQ(header_of(again, "flow.topic"), "orders");
  EXPECT_EQ(header_of(again, "flow.offset"), header_of(first, "flow.offset"));
}

TEST_F(letters_on_a_target, that_fail_before_they_get_there_stay_letters_of_that_target) {
  given_refused();
  given_raised();
  replay_on_tokyo(checked({large}));
  EXPECT_TRUE(eventually([&] { return sizes("tokyo", "orders.dlq") == 2; }));
  const auto again = world.read("tokyo", "orders.dlq")[0][1];
  EXPECT_EQ(header_of(again, "flow.node"), "regions");
  EXPECT_EQ(header_of(again, "flow.reason"), "refused");
  EXPECT_THAT(header_of(again, "flow.text"), HasSubstr("a bad order"));
  stop("replay");
  replay_on_tokyo(checked({}));
  EXPECT_TRUE(eventually([&] { return sizes("tokyo", "orders") == 3; }));
  world.advance(30s);
  EXPECT_EQ(sizes("tokyo", "orders"), 3u);
  EXPECT_EQ(at("oregon", "orders"), written["orders"]);
}

/// Several ways lead through the topology, and something fails on one of them.
class letters_of_one_branch : public letters_at_home {
 protected:
  letters_of_one_branch() { targets = {"tokyo"}; }
};

TEST_F(letters_of_one_branch, write_nothing_that_the_others_have_written) {
  const auto branching = [](bool mended) {
    topology t{"sync"};
    auto orders =
        t.from(topic<bytes, std::string>{"orders"}) | dedup(
                                                          "seen", [](bytes, const std::string& v) { return v; }, 24h);
    auto one = orders | peek("one", [mended](const std::string& value) {
                          if (value == "b" && !mended) throw std::runtime_error{"a bad order"};
                        }).on_failure(dead_letter("{topic}.dlq"));
    auto other = orders | map("other", [](const std::string& value) { return "other " + value; });
    merge(one, other) | to("out", {.cluster = "tokyo"});
    return t;
  };
  for (const auto* value : {"a", "b"})
    for (const std::int32_t partition : {0, 1}) world.write("home", "orders", partition, {.key = "k", .value = value});
  start("one", branching(false));
  EXPECT_TRUE(eventually([&] { return sizes("tokyo", "out") == 3 && sizes("home", "orders.dlq") == 1; }));
  // Once in vain: what the dedup has seen then does not keep the next one back.
  replay(branching(false));
  EXPECT_TRUE(eventually([&] { return sizes("home", "orders.dlq") == 2; }));
  stop("replay");
  replay(branching(true));
  EXPECT_TRUE(eventually([&] { return sizes("tokyo", "out") == 4; }));
  world.advance(30s);
  EXPECT_THAT(at("tokyo", "out"), Each(ElementsAre("a", "other a", "other b", "b")));
}

TEST_F(letters_of_one_branch, of_a_part_of_a_record_write_that_part) {
  const auto by_words = [](bool mended) {
    topology t{"sync"};
    t.from(topic<bytes, std::string>{"orders"}) |
        flat_map("words",
                 [](const std::string& line) {
                   std::vector<std::string> words;
                   for (const char c : line) words.emplace_back(1, c);
                   return words;
                 }) |
        peek("check",
             [mended](const std::string& word) {
               if (!mended && (word == "y" || word == "z")) throw std::runtime_error{"a bad word"};
             })
            .on_failure(dead_letter("{topic}.dlq")) |
        to("words", {.cluster = "tokyo"});
    return t;
  };
  for (const std::int32_t partition : {0, 1}) world.write("home", "orders", partition, {.key = "k", .value = "wxyza"});
  start("one", by_words(false));
  EXPECT_TRUE(eventually([&] { return sizes("tokyo", "words") == 3 && sizes("home", "orders.dlq") == 2; }));
  replay(by_words(true));
  EXPECT_TRUE(eventually([&] { return sizes("tokyo", "words") == 5; }));
  world.advance(30s);
  EXPECT_THAT(at("tokyo", "words"), Each(ElementsAre("w", "x", "a", "y", "z")));
}

TEST_F(letters_of_one_branch, that_a_destination_refused_are_delivered_and_nothing_else_is_written) {
  bool takes_b = false;
  world.destination("crm", [&](const delivery& what) {
    return std::optional{what.value == "b" && !takes_b ? receipt::permanent("never") : receipt::done()};
  });
  topology t{"sync"};
  auto orders = t.from(topic<bytes, bytes>{"orders"});
  orders | ordered_sink("crm", [](const delivery&) {}).on_failure(dead_letter("{topic}.dlq"));
  orders | fan_out("regions", targets);
  write("orders");
  for (const std::int32_t partition : {0, 1}) write(topic_partition{"orders", partition}, {.key = "k", .value = "b"});
  start("one", t);
  EXPECT_TRUE(eventually([&] { return sizes("home", "orders.dlq") == 1; }));
  const auto so_far = world.arrivals("crm").size();
  const auto refused = [&] { return replaying(t, "home", letter_kind::refused); };
  replay(refused());
  EXPECT_TRUE(eventually([&] { return sizes("home", "orders.dlq") == 2; }));
  const auto again = world.read("home", "orders.dlq")[0][1];
  EXPECT_EQ(header_of(again, "flow.topic"), "orders");
  EXPECT_EQ(header_of(again, "flow.offset"), "1");
  EXPECT_EQ(header_of(again, "flow.attempts"), "2");
  stop("replay");
  takes_b = true;
  replay(refused());
  EXPECT_TRUE(eventually([&] { return world.arrivals("crm").size() == so_far + 4; }));
  world.advance(30s);
  EXPECT_EQ(world.arrivals("crm").size(), so_far + 4);
  EXPECT_EQ(world.arrivals("crm").back().what.value, "b");
  EXPECT_THAT(world.arrivals("crm").back().what.headers, IsEmpty());
  EXPECT_TRUE(copied("orders"));
}

}  // namespace
}  // namespace flow::testing
