#include <flow/rules.hpp>

#include "judged.hpp"
#include "running.hpp"

namespace flow {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

rules example() {
  return rules{}
      .exclude("tests", header_value("test") == true)
      .route("audit", topic_name() == "audit")
      .include("critical", json::at("/source").any_of({"order", "payment"}))
      .route("large", json::at("/cents") >= 100'000)
      .exclude("noise", json::at("/type").matches("Page.*"))
      .include("rest");
}

/// Its ways to topics of their names.
running example_graph(policy on_failure = stop, const rules& all = example()) {
  topology t{"test"};
  const auto ways = t.from(topics<bytes, bytes>{{"in", "audit"}}) | split("events", all).on_failure(on_failure);
  for (std::size_t i = 0; i < ways.size(); ++i)
    ways[i] | fan_out("to-" + all.ways()[i], {"tokyo"}, {.rename = all.ways()[i]});
  return running{t};
}

/// "decider -> way"
std::string verdict(const rules& all, const judged& what) {
  const auto found = what.by(all);
  return all.deciders()[found.by] + " -> " + (found.way ? all.ways()[*found.way] : "nowhere");
}

TEST(the_rules, ask_in_their_order) {
  EXPECT_EQ(verdict(example(), {.value = R"({"source": "order", "cents": 100000})"}), "critical -> included");
  EXPECT_EQ(verdict(example(), {.value = R"({"cents": 100000, "type": "PageViewed"})"}), "large -> large");
  EXPECT_EQ(verdict(example(), {.value = R"({"cents": 1, "type": "PageViewed"})"}), "noise -> nowhere");
  EXPECT_EQ(verdict(example(), {.value = "{}"}), "rest -> included");
  EXPECT_EQ(verdict(example(), {.value = R"({"source": "order"})", .topic = "audit"}), "audit -> audit");
  EXPECT_EQ(verdict(example(), {.headers = {{"test", "true"}}, .topic = "audit"}), "tests -> nowhere");
}

TEST(the_rules, leave_out_what_none_is_true_of) {
  EXPECT_EQ(verdict(rules{}.include("some", json::at("/a").exists()), {}), "otherwise -> nowhere");
}

TEST(the_rules, look_at_a_value_only_if_they_have_to) {
  EXPECT_EQ(verdict(example(), {.value = "no JSON", .topic = "audit"}), "audit -> audit");
  EXPECT_EQ(verdict(example(), {.value = R"({"source": "order", broken)"}), "critical -> included");
  EXPECT_THROW(verdict(example(), {.value = R"({"cents": 100000, broken)"}), json::malformed);
}

TEST(the_rules, take_the_first_of_two_members_whichever_rule_asks) {
  const auto all = rules{}.exclude("a", json::at("/z").exists()).include("b", json::at("/a") == 1).route("c");
  EXPECT_EQ(verdict(all, {.value = R"({"a": 1, "a": 2})"}), "b -> included");
  EXPECT_EQ(verdict(all, {.value = R"({"a": 2, "a": 1})"}), "c -> c");
}

TEST(a_tombstone, is_included_where_a_rule_would_have_to_read_it) {
  EXPECT_EQ(verdict(example(), {.value = nullptr}), "tombstones -> included");
  EXPECT_EQ(verdict(example(), {.value = nullptr, .topic = "audit"}), "audit -> audit");
  EXPECT_EQ(verdict(example(), {.value = nullptr, .headers = {{"test", "true"}}}), "tests -> nowhere");
  EXPECT_EQ(verdict(rules{}.exclude("all", !json::at("/a").exists()), {.value = nullptr}), "tombstones -> included");
  EXPECT_EQ(verdict(rules{}.exclude("all", json::at("/a").exists() && topic_name() == "x"), {.value = nullptr}),
            "otherwise -> nowhere");
}

TEST(a_tombstone, goes_nowhere_if_that_is_wanted) {
  EXPECT_EQ(verdict(example().drop_tombstones(), {.value = nullptr}), "tombstones -> nowhere");
  EXPECT_EQ(verdict(example().drop_tombstones(), {.value = nullptr, .topic = "audit"}), "tombstones -> nowhere");
  EXPECT_EQ(verdict(example().drop_tombstones(), {.value = "{}"}), "rest -> included");
}

TEST(split_by_rules, sends_records_their_ways_as_they_came) {
  auto r = example_graph();
  const std::pair<const char*, given> all[] = {
      {"included", {.key = "k", .value = R"({ "source": "order" })", .timestamp = 7, .headers = {{"h", "x"}}}},
      {"large", value(R"({"cents": 1e5})")},
      {"audit", {.value = "no JSON", .topic = "audit"}},
      {"included", {.key = "k"}}};
  for (const auto& [way, what] : all) {
    EXPECT_FALSE(r.push(what));
    const auto sent = r.take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].sink, "to-" + std::string{way});
    EXPECT_EQ(sent[0].key, what.key);
    EXPECT_EQ(sent[0].value, what.value);
    EXPECT_EQ(sent[0].timestamp, what.timestamp);
    EXPECT_EQ(sent[0].headers, what.headers);
  }
}

TEST(split_by_rules, counts_what_each_has_decided) {
  auto r = example_graph();
  for (const char* text :
       {R"({"source":"order"})", R"({"source":"payment"})", R"({"cents":100000})", R"({"type":"Page"})", "{}"})
    EXPECT_FALSE(r.push(value(text)));
  EXPECT_FALSE(r.push({.key = "k"}));
  EXPECT_TRUE(r.push(value("broken")));
  EXPECT_THAT(r.plan().nodes()[1].deciders,
              ElementsAre("tests", "audit", "critical", "large", "noise", "rest", "tombstones", "otherwise"));
  EXPECT_THAT(r.counts("events").decided, ElementsAre(0, 0, 2, 1, 1, 1, 1, 0));
  EXPECT_EQ(r.counts("events").received, 7u);
  EXPECT_EQ(r.counts("events").dropped, 1u);
}

TEST(split_by_rules, leaves_what_is_malformed_to_its_policy) {
  auto stops = example_graph(stop);
  EXPECT_EQ(stops.push(value("{broken}"))->node, "events");
  auto skips = example_graph(skip);
  EXPECT_FALSE(skips.push(value("{broken}")));
  EXPECT_EQ(skips.counts("events").skipped, 1u);
  EXPECT_TRUE(skips.take().empty());
}

TEST(split_by_rules, shows_rules_and_ways) {
  topology t{"test"};
  const auto all =
      rules{}.exclude("tests", header_value("t").exists()).route("audit", key_bytes() == "a").include("rest");
  const auto ways = t.from(topic<bytes, bytes>{"in"}) | split("events", all);
  ways[0] | to("out");
  ways[1] | to("audit");
  EXPECT_THAT(
      describe(*t.build()),
      HasSubstr(R"(events  split exclude tests if header_value("t").exists(); route audit if key_bytes() == "a"; )"
                "include rest  -> included: to-1, audit: to-2\n"));
  topology one{"test"};
  (one.from(topic<bytes, bytes>{"in"}) | split("events", rules{}.include("all").drop_tombstones()))[0] | to("out");
  EXPECT_THAT(describe(*one.build()), HasSubstr("events  split include all; drop tombstones  -> to-1\n"));
}

std::vector<std::string> flaws(const rules& all) {
  std::vector<std::string> texts;
  for (const flaw& each : all.flaws()) texts.push_back(each.text + " (" + each.remedy + ")");
  return texts;
}

TEST(the_rules, say_all_that_is_wrong_with_them) {
  EXPECT_THAT(flaws(rules{}
                        .exclude(std::string{"a b"}, json::at("x").exists())
                        .exclude("otherwise")
                        .exclude("again")
                        .exclude("again", key_bytes().matches("("))),
              ElementsAre("a rule has the name 'a b' (use 1 to 100 letters, digits, dots, dashes or underscores)",
                          "the rule 'a b': JSON pointer 'x', position 0: a pointer begins with '/' (write '/x')",
                          "the rule 'otherwise' has a name that is taken (give it one of its own)",
                          "the rule 'again' is never asked: 'otherwise' decides about everything (move it up)",
                          "the rule 'again' has a name that is taken (give it one of its own)",
                          "the rule 'again' is never asked: 'otherwise' decides about everything (move it up)",
                          "the rule 'again': regular expression '(': missing ): ( (mend it, or escape what is meant "
                          "literally; there are no look-arounds and no back-references)",
                          "no rule includes anything (add one that includes what is left)"));
  EXPECT_THAT(flaws(rules{}), ElementsAre("no rule includes anything (add one that includes what is left)"));
  EXPECT_THAT(flaws(example()), testing::IsEmpty());
}

TEST(the_rules, keep_a_topology_from_being_built) {
  topology t{"test"};
  const auto ways = t.from(topic<bytes, bytes>{"in"}) | split("events", rules{}.route("a", json::at("x").exists()));
  ways[0] | to("out");
  try {
    t.build();
    FAIL();
  } catch (const topology_error& e) {
    EXPECT_THAT(e.flaws(),
                ElementsAre(flaw{"'events': the rule 'a': JSON pointer 'x', position 0: a pointer begins with '/'",
                                 "write '/x'"},
                            flaw{"the stream 'a' from 'events' ends nowhere",
                                 "end it with to, fan_out or for_each, or leave the branch out"}));
  }
}

TEST(rules, may_include_what_is_no_json) {
  rules lenient;
  lenient.exclude("tests", header_value("test").exists()).include("large", json::at("/n") > 5).include_malformed();
  const auto verdict = judged{.value = "{broken"}.by(lenient);
  EXPECT_EQ(lenient.deciders()[verdict.by], "malformed");
  EXPECT_EQ(verdict.way, 0u);
  EXPECT_EQ((judged{.value = "{broken", .headers = {{"test", "1"}}}.by(lenient).way), std::nullopt);
  EXPECT_TRUE(lenient.flaws().empty());
}

std::optional<std::string> id_in(bytes value, const subject& where = json::at("/id")) {
  return where(judged{.value = value}.view());
}

TEST(a_subject, is_an_id_that_tells_kinds_apart) {
  EXPECT_EQ(id_in(R"({"id": "a"})"), id_in(R"({"x": {"id": 1}, "id": "\u0061"})"));
  EXPECT_NE(id_in(R"({"id": 1})"), id_in(R"({"id": "1"})"));
  EXPECT_NE(id_in(R"({"id": true})"), id_in(R"({"id": "true"})"));
  EXPECT_EQ(header_value("id")(judged{.headers = {{"id", "a"}}}.view()), header_value("id")(judged{.headers = {{"id", "x"}, {"id", "a"}}}.view()));
}

TEST(a_subject, is_no_id_where_there_is_none) {
  for (const bytes value : {bytes{R"({"id": null})"}, bytes{R"({"id": ""})"}, bytes{R"({"id": [1]})"}, bytes{R"({"x": 1})"}, bytes{"[]"}, bytes{}})
    EXPECT_EQ(id_in(value), std::nullopt) << value.view();
  EXPECT_THROW(id_in("{broken"), json::malformed);
}

TEST(a_subject, that_is_no_pointer_is_a_flaw_of_the_topology) {
  topology t{"test"};
  t.from(topic<bytes, bytes>{"in"}) | dedup("seen", json::at("id"), std::chrono::hours{1}) | to("out");
  EXPECT_THROW(t.build(), topology_error);
}

TEST(dedup, looks_for_its_id_in_json) {
  topology t{"test"};
  t.from(topic<bytes, bytes>{"in"}) | dedup("seen", json::at("/id"), std::chrono::hours{1}) | to("out");
  running r{t};
  std::int64_t offset = 0;
  for (const auto text : {R"({"id": 1, "n": 1})", R"({"n": 2, "id": 1})", R"({"id": "1"})", R"({"n": 3})", R"({"n": 3})"})
    EXPECT_FALSE(r.push({.value = text, .offset = ++offset}));
  EXPECT_FALSE(r.push({.key = "k", .value = std::nullopt, .offset = ++offset}));
  EXPECT_EQ(r.take().size(), 5u);
  EXPECT_EQ(r.counts("seen").dropped, 1u);
  EXPECT_EQ(r.counts("seen").without_id, 3u);
}

}  // namespace
}  // namespace flow
