#include "running.hpp"

namespace flow {
namespace {

TEST(to, keeps_the_partition_of_a_key_that_is_the_sources) {
  auto r = stage<bytes, bytes>([](auto s) { return s; });
  EXPECT_FALSE(r.push({.key = "k", .value = "v", .partition = 11}));
  const auto sent = r.take();
  EXPECT_FALSE(sent[0].is_hashed);
  EXPECT_EQ(sent[0].partition, 11);
  EXPECT_TRUE(r.plan().sinks()[0].keeps_partition);
  EXPECT_EQ(r.plan().sinks()[0].topic, "out");
  EXPECT_THAT(r.plan().sinks()[0].clusters, testing::ElementsAre("home"));
}

TEST(to, places_by_key_when_told_to) {
  topology t{"test"};
  t.from(topic<bytes, bytes>{"in"}) | to("out", {.cluster = "tokyo", .partition = by_key, .create = false});
  running r{t};
  EXPECT_FALSE(r.push({.key = "k", .value = "v", .partition = 11}));
  EXPECT_FALSE(r.push({.key{}, .value = "v", .partition = 11}));
  const auto sent = r.take();
  EXPECT_EQ(sent[0].hash, key_hash("k"));
  EXPECT_TRUE(sent[1].is_hashed);
  EXPECT_EQ(sent[1].hash, 11u);
  const sink_spec& spec = r.plan().sinks()[0];
  EXPECT_FALSE(spec.keeps_partition);
  EXPECT_FALSE(spec.create);
  EXPECT_THAT(spec.clusters, testing::ElementsAre("tokyo"));
}

TEST(to, places_by_a_function) {
  topology t{"test"};
  t.from(topic<bytes, std::string>{"in"}) |
      to("sized", "out").partition_by([](const std::string& v) { return v.size(); }).on_failure(skip);
  running r{t};
  EXPECT_FALSE(r.push(value("four")));
  const auto sent = r.take();
  EXPECT_TRUE(sent[0].is_hashed);
  EXPECT_EQ(sent[0].hash, 4u);
  EXPECT_EQ(sent[0].sink, "sized");
  EXPECT_FALSE(r.plan().sinks()[0].keeps_partition);
  EXPECT_EQ(r.plan().sinks()[0].on_failure, skip);
}

TEST(to, takes_the_topics_name_from_a_function) {
  topology t{"test"};
  t.from(topic<bytes, std::string>{"in"}) | to("routed", [](const std::string& v) { return "to-" + v; });
  running r{t};
  EXPECT_FALSE(r.push(value("eu")));
  EXPECT_EQ(r.take()[0].topic, "to-eu");
  EXPECT_EQ(r.plan().sinks()[0].names, sink_spec::naming::by_record);
  const auto failed = r.push(value("no topic"));
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->node, "routed");
  EXPECT_EQ(failed->reason, "'to-no topic' is no name for a topic");
}

TEST(to, takes_a_pattern) {
  topology t{"test"};
  t.from(topic<bytes, bytes>{"in"}) | to("{source}.{topic}", {.cluster = "tokyo"});
  const running r{t};
  EXPECT_EQ(r.plan().sinks()[0].names, sink_spec::naming::pattern);
  EXPECT_EQ(r.plan().sinks()[0].topic, "{source}.{topic}");
}

TEST(fan_out, is_one_sink_on_many_clusters) {
  topology t{"test"};
  t.from(topic<bytes, bytes>{"in"}) | fan_out("regions", {"tokyo", "oregon"}, {.rename = "copy.{topic}"});
  running r{t};
  EXPECT_FALSE(r.push({.key = "k", .value = "v", .partition = 2}));
  EXPECT_EQ(r.take().size(), 1u);
  const sink_spec& spec = r.plan().sinks()[0];
  EXPECT_EQ(spec.name, "regions");
  EXPECT_THAT(spec.clusters, testing::ElementsAre("tokyo", "oregon"));
  EXPECT_EQ(spec.topic, "copy.{topic}");
  EXPECT_TRUE(spec.keeps_partition);
}

TEST(fan_out, takes_a_single_cluster_by_its_name) {
  topology t{"test"};
  const std::string target = "oregon";
  t.from("a", topic<bytes, bytes>{"in"}) | fan_out("one", "tokyo", {.rename = "copy.{topic}"});
  t.from("b", topic<bytes, bytes>{"other"}) | fan_out("other", target);
  const running r{t};
  EXPECT_THAT(r.plan().sinks()[0].clusters, testing::ElementsAre("tokyo"));
  EXPECT_EQ(r.plan().sinks()[0].topic, "copy.{topic}");
  EXPECT_THAT(r.plan().sinks()[1].clusters, testing::ElementsAre("oregon"));
}

TEST(fan_out, takes_the_topics_name_from_a_function) {
  topology t{"test"};
  t.from(topic<bytes, std::string>{"in"}) |
      fan_out("regions", {"tokyo", "oregon"}, {.partition = by_key, .create = false})
          .rename([](const std::string& v) { return "to-" + v; })
          .on_failure(skip);
  running r{t};
  EXPECT_FALSE(r.push(value("eu")));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].topic, "to-eu");
  EXPECT_TRUE(sent[0].is_hashed);
  const sink_spec& spec = r.plan().sinks()[0];
  EXPECT_EQ(spec.names, sink_spec::naming::by_record);
  EXPECT_THAT(spec.clusters, testing::ElementsAre("tokyo", "oregon"));
  EXPECT_FALSE(spec.create);
  EXPECT_FALSE(r.push(value("no topic")));
  EXPECT_EQ(r.counts("regions").skipped, 1u);
}

TEST(sinks, are_left_alone_while_their_bit_is_off) {
  topology t{"test"};
  auto s = t.from(topic<bytes, std::string>{"in"});
  std::vector<std::string> seen;
  s | to("a", "a");
  s | collect("b", seen);
  s | to("c", "c");
  running r{t};
  EXPECT_FALSE(r.push(value("1"), 0b101));
  EXPECT_TRUE(seen.empty());
  EXPECT_EQ(r.take().size(), 2u);
  EXPECT_FALSE(r.push(value("2"), 0b010));
  EXPECT_THAT(seen, testing::ElementsAre("2"));
  EXPECT_TRUE(r.take().empty());
  EXPECT_FALSE(r.push(value("3"), 0b100));
  EXPECT_EQ(r.take()[0].sink, "c");
  EXPECT_EQ(r.counts("a").received, 1u);
}

TEST(for_each, is_a_sink_on_home_that_writes_nothing) {
  topology t{"test"};
  int calls = 0;
  t.from(topic<bytes, bytes>{"in"}) | for_each([&calls](bytes) { ++calls; });
  running r{t};
  EXPECT_FALSE(r.push(value("v")));
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(r.take().empty());
  EXPECT_EQ(r.plan().sinks()[0].names, sink_spec::naming::nowhere);
  EXPECT_THAT(r.plan().sinks()[0].clusters, testing::ElementsAre("home"));
}

TEST(collect, takes_values_or_keys_and_values) {
  topology t{"test"};
  auto s = t.from(topic<std::string, std::string>{"in"});
  std::vector<std::string> values;
  std::vector<keyed<std::string, std::string>> pairs;
  s | collect(values);
  s | collect(pairs);
  running r{t};
  EXPECT_FALSE(r.push({.key = "k", .value = "v"}));
  EXPECT_THAT(values, testing::ElementsAre("v"));
  EXPECT_THAT(pairs, testing::ElementsAre(keyed<std::string, std::string>{"k", "v"}));
}

}  // namespace
}  // namespace flow
