#include "running.hpp"

namespace flow {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

const topic<bytes, bytes> in{"in"};

/// All that is wrong, as "text (remedy)".
std::vector<std::string> flaws(const topology& t, const surroundings& where = {}) {
  std::vector<std::string> all;
  try {
    t.build(where);
  } catch (const topology_error& e) {
    for (const flaw& each : e.flaws()) {
      all.push_back(each.text + " (" + each.remedy + ")");
      EXPECT_NE(std::string{e.what()}.find(all.back()), std::string::npos);
    }
  }
  return all;
}

TEST(wiring, is_checked_as_a_whole) {
  topology t{"my app"};
  auto s = t.from(topic<bytes, bytes>{"orders.internal"});
  s | filter("same", [](bytes) { return true; }) | to("same", "not a topic");
  (void)(s | filter("loose", [](bytes) { return true; }));
  s | fan_out("regions", {"tokio", "oregon", "oregon"});
  s | fan_out("nobody", {});
  EXPECT_THAT(
      flaws(t, {.clusters = {"tokyo", "oregon"}}),
      ElementsAre(
          "the application's name 'my app' cannot be part of a topic's name (use 1 to 100 letters, digits, dots, "
          "dashes or underscores)",
          "two nodes have the name 'same' (give each a name of its own)",
          "'from-1' reads the internal topic 'orders.internal' (read what the application writes)",
          "'same' writes to 'not a topic', which is no name for a topic (use 1 to 249 letters, digits, dots, "
          "dashes or underscores)",
          "'regions' writes to the unknown cluster 'tokio' (did you mean 'tokyo'?)",
          "'regions' names the cluster 'oregon' twice (name each once)",
          "'nobody' writes to no cluster (name at least one)",
          "the stream from 'loose' ends nowhere (end it with to, fan_out or for_each)"));
}

TEST(wiring, needs_a_name_for_each_topic_it_reads) {
  topology t{"app"};
  t.from(topic<bytes, bytes>{""}) | to("out");
  EXPECT_THAT(flaws(t), ElementsAre("'from-1' reads a topic without a name (name it, or leave it out)"));
}

TEST(wiring, needs_a_source_and_a_sink) {
  EXPECT_THAT(flaws(topology{"empty"}),
              ElementsAre("nothing is read (begin with from(topic<K, V>{...}))",
                          "nothing leaves the topology (end it with to, fan_out or for_each)"));
}

TEST(wiring, finds_a_branch_that_ends_nowhere) {
  topology t{"test"};
  auto [used, unused] =
      t.from(in) | split("sizes", when("large", [](bytes v) { return v.size() > 9; }), otherwise("rest"));
  used | to("large");
  EXPECT_THAT(flaws(t), ElementsAre("the stream 'rest' from 'sizes' ends nowhere (end it with to, fan_out or for_each, "
                                    "or leave the branch out)"));
}

TEST(wiring, lists_the_known_clusters_where_no_name_is_close) {
  topology t{"test"};
  t.from(in) | to("out", "out", {.cluster = "frankfurt"});
  EXPECT_THAT(flaws(t, {.clusters = {"tokyo", "oregon"}}),
              ElementsAre("'out' writes to the unknown cluster 'frankfurt' (known are tokyo, oregon)"));
  EXPECT_THAT(flaws(t, {.clusters = {"frankfurt"}}), IsEmpty());
}

TEST(wiring, finds_loops_on_the_cluster_that_is_read) {
  topology named{"test"};
  named.from(in) | to("sink", "in");
  EXPECT_THAT(flaws(named),
              ElementsAre("'sink' writes to 'in' on home, which is read as well (write to another topic, or "
                          "exclude it from what is read)"));

  topology by_pattern{"test"};
  by_pattern.from(topics<bytes, bytes>{{".*"}, {"copy\\..*"}}) | fan_out("regions", {"eu", "us"});
  EXPECT_THAT(flaws(by_pattern, {.clusters = {"eu", "us"}, .home = "eu"}), testing::SizeIs(1));
  EXPECT_THAT(flaws(by_pattern, {.clusters = {"eu", "us", "asia"}, .home = "asia"}), IsEmpty());

  topology excluded{"test"};
  excluded.from(topics<bytes, bytes>{{".*"}, {"copy\\..*"}}) | to("sink", "copy.{topic}");
  EXPECT_THAT(flaws(excluded), IsEmpty());

  topology elsewhere{"test"};
  elsewhere.from(in) | to("sink", "in", {.cluster = "tokyo"});
  EXPECT_THAT(flaws(elsewhere), IsEmpty());
}

TEST(wiring, finds_loops_behind_a_repartition_by_what_comes_out_of_it) {
  const auto copied = [](std::vector<std::string> read, const std::string& to_topic) {
    topology t{"test"};
    t.from(topics<bytes, bytes>{std::move(read)}) | repartition("by-key", 4) | to("sink", to_topic);
    return flaws(t);
  };
  EXPECT_THAT(copied({"in"}, "{topic}"), IsEmpty());
  EXPECT_THAT(copied({"in"}, "in"), testing::SizeIs(1));
  EXPECT_THAT(copied({"by.*"}, "{topic}"),
              ElementsAre("'sink' writes to 'by-key' on home, which is read as well (write to another topic, or "
                          "exclude it from what is read)"));
}

TEST(wiring, knows_what_leads_to_a_sink) {
  topology t{"test"};
  const auto orders = t.from("orders", topic<bytes, bytes>{"orders"}).on_failure(dead_letter("unread"));
  const auto payments = t.from("payments", topic<bytes, bytes>{"payments"});
  merge(orders, payments) | peek("check", [](const auto&) {}).on_failure(dead_letter("unchecked")) |
      repartition("by-key", 4) | ordered_sink("crm", [](const delivery&) {}).on_failure(dead_letter("undelivered"));
  payments | peek("look", [](const auto&) {}).on_failure(dead_letter("unread")) |
      async_map("ask", [](bytes) { return std::string{}; }) | to("answered", "answered");
  const auto plan = t.build();
  std::map<std::string, std::vector<std::string>> sources;
  for (const auto& sink : plan->sinks())
    for (const auto number : sink.sources) sources[sink.name].push_back(plan->sources()[number].name);
  const auto behind = [&](std::string_view node) {
    return std::ranges::find(plan->sources(), node, &source_spec::through)->name;
  };
  EXPECT_THAT(sources, testing::UnorderedElementsAre(
                           testing::Pair("by-key", ElementsAre("orders", "payments")),
                           testing::Pair("dead letters to unchecked", ElementsAre("orders", "payments")),
                           testing::Pair("dead letters to unread", ElementsAre("orders", "payments")),
                           testing::Pair("crm", ElementsAre(behind("by-key"))),
                           testing::Pair("dead letters to undelivered", ElementsAre(behind("by-key"))),
                           testing::Pair("ask", ElementsAre("payments")),
                           testing::Pair("answers to ask", ElementsAre("payments")),
                           testing::Pair("answered", ElementsAre(behind("ask")))));
}

TEST(wiring, keeps_letters_apart_from_records) {
  const auto written = [](const std::string& records, const policy& rule, std::vector<std::string> read = {"in"}) {
    topology t{"test"};
    t.from(topics<bytes, bytes>{std::move(read)}) |
        fan_out("regions", {"tokyo", "oregon"}, {.rename = records}).on_failure(rule);
    return flaws(t);
  };
  EXPECT_THAT(written("{topic}", dead_letter("{topic}")),
              ElementsAre("'regions' writes dead letters to 'in', where it writes records as well (give the letters a "
                          "topic of their own, such as {topic}.dlq)"));
  EXPECT_THAT(written("{topic}.dlq", park_key("{topic}.dlq"), {"in.*"}), testing::SizeIs(1));
  EXPECT_THAT(written("{topic}", dead_letter("{topic}.dlq"), {"in", "in.dlq"}), testing::SizeIs(1));
  EXPECT_THAT(written("{source}.{topic}", dead_letter("{topic}")), IsEmpty());
  EXPECT_THAT(written("{topic}", dead_letter("{topic}.dlq"), {"in.*"}), IsEmpty());

  topology undecoded{"test"};
  undecoded.from(in).on_failure(park_key("{topic}")) | peek("check", [](const auto&) {}).on_failure(stop) |
      fan_out("regions", {"tokyo"}).on_failure(stop);
  EXPECT_THAT(flaws(undecoded), testing::Contains(testing::HasSubstr("dead letters to 'in', where 'regions' writes")));
}

TEST(wiring, keeps_letters_apart_from_the_records_of_other_nodes) {
  topology t{"test"};
  auto s = t.from(in) | peek("check", [](const auto&) {}).on_failure(dead_letter("in.dlq"));
  s | fan_out("regions", {"tokyo"}).on_failure(dead_letter("{topic}.dlq"));
  s | fan_out("aside", {"tokyo"}, {.rename = "{topic}.dlq"});
  EXPECT_THAT(flaws(t), ElementsAre("'regions' writes dead letters to 'in.dlq', where 'aside' writes records as well "
                                    "(give the letters a topic of their own, such as {topic}.dlq)"));
}

TEST(wiring, finds_expressions_and_patterns_that_are_broken) {
  topology t{"test"};
  t.from("all", topics<bytes, bytes>{{"orders("}}) | to("sink", "{topics}.copy");
  EXPECT_THAT(flaws(t),
              ElementsAre("'all': 'orders(' is neither the name of a topic nor a regular expression (mend it, or "
                          "escape what is meant literally; there are no look-arounds and no back-references)",
                          "'sink' writes to '{topics}.copy', which makes no name for a topic (use {topic}, "
                          "{source}, letters, digits, dots, dashes and underscores)"));
}

TEST(wiring, refuses_names_made_at_run_time_that_are_none) {
  topology t{"test"};
  t.from(in) | to(std::string{"a b"}, "out");
  EXPECT_THAT(flaws(t), testing::SizeIs(1));
}

TEST(wiring, refuses_streams_of_another_topology) {
  topology t{"test"};
  topology other{"other"};
  auto foreign = other.from(in);
  merge(t.from(in), foreign) | to("out");
  EXPECT_THAT(flaws(t),
              ElementsAre("merge joins streams of different topologies (make all of them from one topology)"));
}

TEST(wiring, refuses_more_sinks_than_there_are_bits) {
  topology t{"test"};
  auto s = t.from(in);
  for (int i = 0; i < 65; ++i) s | to("out-" + std::to_string(i));
  EXPECT_THAT(flaws(t), ElementsAre("there are 65 sinks (64 are the most; split the application)"));
}

[[gnu::noinline]] topology with_dangling_capture() {
  topology t{"test"};
  std::int64_t limit = 3;
  t.from(in) | filter("short", [&](bytes v) { return static_cast<std::int64_t>(v.size()) < limit; }) | to("out");
  return t;
}

[[gnu::noinline]] topology with_copied_capture() {
  topology t{"test"};
  std::int64_t limit = 3;
  t.from(in) | filter("short", [=](bytes v) { return static_cast<std::int64_t>(v.size()) < limit; }) | to("out");
  return t;
}

TEST(wiring, finds_references_to_local_variables_that_are_gone) {
  EXPECT_THAT(flaws(with_dangling_capture()),
              ElementsAre("'short' has captured a reference to a local variable that is "
                          "gone (capture by value: [=] instead of [&])"));
  EXPECT_THAT(flaws(with_copied_capture()), IsEmpty());
}

[[gnu::noinline]] auto shorter_than_a_local() {
  std::int64_t limit = 3;
  const std::int64_t* where = &limit;
  return [where](bytes v) { return static_cast<std::int64_t>(v.size()) < *where; };
}

TEST(wiring, finds_functions_that_were_made_with_such_references) {
  topology t{"test"};
  t.from(in) | filter("short", shorter_than_a_local()) | to("out");
  EXPECT_THAT(flaws(t), testing::SizeIs(1));
}

TEST(wiring, accepts_references_to_what_is_still_there) {
  topology t{"test"};
  std::size_t limit = 3;
  t.from(in) | filter([&](bytes v) { return v.size() < limit; }) | to("out");
  EXPECT_THAT(flaws(t), IsEmpty());
}

TEST(a_topology, is_sealed_once_it_has_been_built) {
  topology t{"test"};
  auto s = t.from(in);
  s | to("out");
  const auto first = t.build();
  EXPECT_NO_THROW(t.build());
  EXPECT_THROW(s | to("more"), std::logic_error);
}

TEST(a_topology, that_has_been_moved_away_says_so) {
  topology t{"test"};
  auto s = t.from(in);
  const topology moved = std::move(t);
  s | to("out");
  EXPECT_NO_THROW(moved.build());
  EXPECT_THROW((void)t.from(in), std::logic_error);
  EXPECT_THROW((void)t.from(std::vector<int>{}), std::logic_error);
  EXPECT_THROW(t.on_failure(skip), std::logic_error);
  EXPECT_THROW(t.build(), std::logic_error);
}

/// What a stateful operator will say of itself.
struct remember : op<remember> {
  static constexpr std::string_view verb = "remember";
  static constexpr bool keeps_state_by_key = true;
  template <typename In>
  static consteval auto out() {
    return In{};
  }
  void operator()(auto&& r, auto& next) const { next(std::move(r)); }
};

TEST(state_by_key, behind_several_sources_needs_them_co_partitioned) {
  topology t{"test"};
  auto a = t.from(topic<bytes, bytes>{"a"});
  auto b = t.from(topic<bytes, bytes>{"b"});
  auto c = t.from(topic<bytes, bytes>{"c"});
  merge(b, c) | remember{} | to("out");
  a | remember{} | to("alone");
  EXPECT_THAT(t.build()->co_partitioned(), ElementsAre(ElementsAre(1u, 2u)));
}

const policy parked = park_key("{topic}.dlq");

TEST(parking, needs_the_keys_of_the_source) {
  topology t{"test"};
  auto rekeyed = t.from(in) | key_by([](bytes v) { return v.str(); });
  rekeyed | peek("check", [](const auto&) {}).on_failure(parked) | to("out");
  EXPECT_THAT(flaws(t),
              ElementsAre("'check' parks keys, and those of its stream are not its source's any more (give it "
                          "another policy, or park before the key changes, or promise that equal keys stay "
                          "together: key_by(f, colocated))"));

  topology promised{"test"};
  auto colocated_keys = promised.from(in) | key_by([](bytes v) { return v.str(); }, colocated);
  colocated_keys | peek("check", [](const auto&) {}).on_failure(parked) | to("out");
  EXPECT_THAT(flaws(promised), IsEmpty());
}

TEST(parking, stands_behind_every_dedup) {
  topology t{"test"};
  t.from(in) | peek("check", [](const auto&) {}).on_failure(parked) | filter("all", [](bytes) { return true; }) |
      dedup(
          "seen", [](bytes v) { return v.str(); }, std::chrono::hours{1}) |
      to("out");
  EXPECT_THAT(flaws(t),
              ElementsAre("'check' parks keys, and 'seen' has to see every record (give it another policy, or "
                          "let the dedup come first)"));

  topology behind{"test"};
  behind.from(in) |
      dedup(
          "seen", [](bytes v) { return v.str(); }, std::chrono::hours{1}) |
      peek("check", [](const auto&) {}).on_failure(parked) | to("out");
  EXPECT_THAT(flaws(behind), IsEmpty());
}

TEST(parking, ends_in_kafka) {
  topology t{"test"};
  t.on_failure(parked);
  t.from(in) | ordered_sink("crm", [](const delivery&) {});
  EXPECT_THAT(flaws(t), testing::Each(testing::HasSubstr("parks keys, and 'crm' delivers outside of Kafka, which no "
                                                         "transaction releases")));
}

TEST(parking, takes_place_in_one_topic) {
  topology t{"test"};
  t.from(in) | peek("check", [](const auto&) {}).on_failure(retry(3).then(park_key("x"))) |
      peek("look", [](const auto&) {}).on_failure(park_key("y")) | to("out");
  EXPECT_THAT(flaws(t),
              ElementsAre("keys are parked in 'x' and in 'y' (park all of them in one topic, so that they keep "
                          "their order)"));
}

TEST(parking, lies_on_every_cluster_behind_its_node) {
  topology t{"test"};
  auto checked = t.from(in) | peek("check", [](const auto&) {}).on_failure(retry(3).then(parked));
  checked | fan_out("regions", {"tokyo", "oregon"}).on_failure(parked);
  checked | to("own", "copies").on_failure(skip);
  const auto plan = t.build();
  ASSERT_EQ(plan->parking().size(), 2u);
  const auto& at_the_check = plan->sinks()[plan->parking()[0].letters];
  EXPECT_TRUE(at_the_check.takes_letters);
  EXPECT_THAT(at_the_check.clusters, testing::UnorderedElementsAre("tokyo", "oregon", "home"));
  EXPECT_THAT(plan->sinks()[plan->parking()[1].letters].clusters, ElementsAre("tokyo", "oregon"));
  EXPECT_NE(describe(*plan).find("on failure retry(3).then(park_key({topic}.dlq))"), std::string::npos);
}

}  // namespace
}  // namespace flow
