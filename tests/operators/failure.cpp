#include <map>
#include <stdexcept>

#include <flow/dead_letter.hpp>
#include <flow/topic_selection.hpp>

#include "running.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;

std::int32_t positive(std::int32_t n) {
  if (n <= 0) throw std::runtime_error{"not positive"};
  return n;
}

std::string number(std::int32_t n) {
  std::string room;
  return codec<std::int32_t>::encode(n, room).str();
}

/// As the engine counts.
attempts failed_before(const std::string& node, int times, std::int64_t first = 0) {
  attempts so_far;
  for (; times > 0; --times) so_far.add({.node = node, .reason = {}}, first);
  return so_far;
}

/// Until nothing is to be tried again; how often it was pushed.
int push_until_done(running& r, const given& what) {
  attempts so_far;
  for (int pushed = 1; pushed < 100; ++pushed) {
    const auto failed = r.push(what, ~0ull, &so_far);
    if (!failed || !failed->again) return pushed;
    so_far.add(*failed, 0);
  }
  return 100;
}

TEST(stop, blames_the_node_and_emits_nothing_of_the_record) {
  topology t{"test"};
  auto s = t.from(topic<bytes, std::int32_t>{"in"});
  s | to("before");
  s | map("check", positive) | to("behind");
  s | to("after");
  running r{t};
  const auto failed = r.push(value(number(-1)));
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->node, "check");
  EXPECT_EQ(failed->reason, "not positive");
  EXPECT_TRUE(r.take().empty());
  EXPECT_FALSE(r.push(value(number(1))));
  EXPECT_EQ(r.take().size(), 3u);
}

TEST(stop, is_what_happens_unless_something_else_is_said) {
  topology t{"test"};
  t.on_failure(skip);
  t.from(topic<bytes, std::int32_t>{"in"}) | map("check", positive) | to("out");
  running r{t};
  EXPECT_FALSE(r.push(value(number(-1))));
  EXPECT_EQ(r.counts("check").skipped, 1u);
}

TEST(stop, of_an_operator_wins_over_the_default) {
  topology t{"test"};
  t.on_failure(skip);
  t.from(topic<bytes, std::int32_t>{"in"}) | map("check", positive).on_failure(stop) | to("out");
  running r{t};
  EXPECT_TRUE(r.push(value(number(-1))));
}

TEST(skip, drops_the_record_at_that_node_only) {
  topology t{"test"};
  auto s = t.from(topic<bytes, std::int32_t>{"in"});
  s | map("check", positive).on_failure(skip) | to("checked");
  s | to("all");
  running r{t};
  EXPECT_FALSE(r.push(value(number(-1))));
  EXPECT_THAT(r.values(), testing::ElementsAre(number(-1)));
  EXPECT_EQ(r.counts("check").received, 1u);
  EXPECT_EQ(r.counts("check").skipped, 1u);
  EXPECT_EQ(r.counts("check").dropped, 0u);
}

TEST(skip, is_there_for_exceptions_of_any_kind) {
  topology t{"test"};
  t.from(topic<bytes, bytes>{"in"}) | peek("odd", [](bytes) { throw 42; }) | to("out");
  running r{t};
  const auto failed = r.push(value("x"));
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->node, "odd");
  EXPECT_FALSE(failed->reason.empty());
}

TEST(undecodable_records, follow_the_policy_of_their_source) {
  topology t{"test"};
  t.from(topic<bytes, std::int32_t>{"lenient"}).on_failure(skip) | map("first", positive).on_failure(stop) | to("one");
  t.from(topic<bytes, std::int32_t>{"strict"}) | map("second", positive).on_failure(skip) | to("two");
  running r{t};
  EXPECT_FALSE(r.push({.value = "no number", .source = 0}));
  EXPECT_EQ(r.counts("first").skipped, 1u);
  const auto failed = r.push({.value = "text!", .source = 1});
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->node, "second");
  EXPECT_EQ(failed->reason, "the value cannot be decoded: it has 5 bytes instead of 4");
  EXPECT_TRUE(r.take().empty());
}

TEST(undecodable_records, say_whether_it_is_the_key) {
  topology t{"test"};
  t.from(topic<std::int32_t, bytes>{"in"}) | filter([](std::int32_t, bytes) { return true; }) | to("out");
  running r{t};
  const auto failed = r.push({.key{}, .value = "v"});
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->reason, "the key cannot be decoded: it is null");
}

struct write_only {
  int n;
};

}  // namespace

template <>
struct codec<write_only> {
  static bytes encode(const write_only& w, std::string& room) {
    if (w.n < 0) throw std::runtime_error{"cannot write that"};
    return room.assign(std::to_string(w.n));
  }
};

namespace {

TEST(a_codec_that_fails_to_write, is_a_failure_of_the_sink) {
  topology t{"test"};
  t.from(topic<bytes, std::int32_t>{"in"}) | map([](std::int32_t n) { return write_only{n}; }) |
      to("the-sink", "out").on_failure(skip);
  running r{t};
  EXPECT_FALSE(r.push(value(number(-1))));
  EXPECT_FALSE(r.push(value(number(5))));
  EXPECT_THAT(r.values(), testing::ElementsAre("5"));
  EXPECT_EQ(r.counts("the-sink").skipped, 1u);
}

TEST(dead_letter, is_the_record_as_it_was_read_and_says_why) {
  topology t{"test"};
  t.from(topic<bytes, std::int32_t>{"in"}) | map("double", [](std::int32_t n) { return 2 * n; }) |
      map("check", positive).on_failure(dead_letter("{topic}.dlq")) | to("out");
  running r{t};
  const given bad{.key = "k", .value = number(-1), .partition = 3, .offset = 7, .timestamp = 42, .headers = {{"trace", "1"}}};
  EXPECT_FALSE(r.push(bad));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(r.plan().sinks().at(0).topic, "{topic}.dlq");
  EXPECT_THAT(r.plan().sinks().at(0).clusters, testing::ElementsAre("home"));
  EXPECT_EQ(sent[0].sink, r.plan().sinks()[0].name);
  EXPECT_EQ(sent[0].key, "k");
  EXPECT_EQ(sent[0].value, number(-1));
  EXPECT_EQ(sent[0].timestamp, 42);
  EXPECT_TRUE(sent[0].is_hashed);
  EXPECT_EQ(sent[0].hash, 3u);
  using named = std::pair<std::string, std::optional<std::string>>;
  EXPECT_THAT(sent[0].headers,
              testing::ElementsAre(named{"trace", "1"}, named{"flow.node", "check"}, named{"flow.reason", "failed"},
                                   named{"flow.text", "not positive"}, named{"flow.cluster", "home"},
                                   named{"flow.topic", "in"}, named{"flow.partition", "3"}, named{"flow.offset", "7"},
                                   named{"flow.attempts", "1"}, named{"flow.time", "0"}));
  EXPECT_EQ(r.counts("check").dead_lettered, 1u);
  EXPECT_EQ(r.counts("check").dropped, 0u);
}

TEST(dead_letter, is_written_by_the_lane_of_home_alone) {
  topology t{"test"};
  t.from(topic<bytes, std::int32_t>{"in"}) | map(positive).on_failure(dead_letter("letters")) |
      fan_out("regions", {"tokyo"});
  running r{t};
  EXPECT_FALSE(r.push(value(number(-1)), 0b10));
  EXPECT_TRUE(r.take().empty());
  EXPECT_FALSE(r.push(value(number(-1)), 0b01));
  EXPECT_EQ(r.take().size(), 1u);
}

TEST(dead_letter, of_a_sink_goes_to_that_sinks_clusters) {
  topology t{"test"};
  t.from(topic<bytes, bytes>{"in"}) | fan_out("regions", {"tokyo", "oregon"}).on_failure(dead_letter("letters"));
  const running r{t};
  ASSERT_EQ(r.plan().sinks().size(), 2u);
  EXPECT_EQ(r.plan().sinks()[1].clusters, r.plan().sinks()[0].clusters);
}

TEST(dead_letter, of_what_cannot_be_decoded_is_the_sources) {
  topology t{"test"};
  t.from(topic<bytes, std::int32_t>{"in"}).on_failure(dead_letter("letters")) | map("first", positive) | to("out");
  running r{t};
  EXPECT_FALSE(r.push(value("no number")));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].headers.at(1).second, "undecodable");
  EXPECT_EQ(r.counts("first").dead_lettered, 1u);
}

TEST(dead_letter, is_taken_back_if_the_record_stops_elsewhere) {
  topology t{"test"};
  const auto s = t.from(topic<bytes, std::int32_t>{"in"});
  s | map("lenient", positive).on_failure(dead_letter("letters")) | to("one");
  s | map("strict", positive) | to("two");
  running r{t};
  const auto failed = r.push(value(number(-1)));
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->node, "strict");
  EXPECT_TRUE(r.take().empty());
}

TEST(dead_letters, of_several_nodes_share_a_sink) {
  topology t{"test"};
  t.on_failure(dead_letter("{topic}.dlq"));
  t.from(topic<bytes, std::int32_t>{"in"}) | map(positive) | filter(positive) | to("out");
  const running r{t};
  EXPECT_EQ(r.plan().sinks().size(), 2u);
}

TEST(dead_letters, are_not_read_by_a_pattern_of_their_own_topology) {
  topology t{"test"};
  t.from(topics<bytes, std::int32_t>{{".*"}}) | map(positive).on_failure(dead_letter("{topic}.dlq")) | to("tokyo-only", "out", {.cluster = "tokyo"});
  const running r{t};
  const topic_selection read{r.plan().sources()[0], "failing", "home"};
  EXPECT_TRUE(read.contains("orders"));
  EXPECT_FALSE(read.contains("orders.dlq"));
  EXPECT_TRUE(read.contains("ordersXdlq"));
}

TEST(dead_letters, that_are_read_by_name_are_a_mistake) {
  topology t{"test"};
  t.from(topics<bytes, std::int32_t>{{"in", "in.dlq"}}) | map(positive).on_failure(dead_letter("{topic}.dlq")) |
      to("out", {.cluster = "tokyo"});
  EXPECT_THROW(t.build(), topology_error);
}

TEST(retry, asks_for_the_same_record_again_until_the_limit) {
  topology t{"test"};
  t.from(topic<bytes, std::int32_t>{"in"}) |
      map("call", positive).on_failure(retry(2, {10ms, 15ms}).then(dead_letter("letters"))) | to("out");
  running r{t};
  attempts so_far;
  for (int failures = 0; failures < 2; ++failures) {
    const auto failed = r.push(value(number(-1)), ~0ull, &so_far);
    ASSERT_TRUE(failed);
    EXPECT_EQ(failed->node, "call");
    ASSERT_TRUE(failed->again);
    EXPECT_LE(*failed->again, failures == 0 ? 10ms : 15ms);
    EXPECT_TRUE(r.take().empty());
    so_far.add(*failed, 0);
  }
  EXPECT_FALSE(r.push(value(number(-1)), ~0ull, &so_far));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].headers.at(7), (std::pair<std::string, std::optional<std::string>>{"flow.attempts", "3"}));
  EXPECT_EQ(r.counts("call").retried, 2u);
  EXPECT_EQ(r.counts("call").dead_lettered, 1u);
}

TEST(retry, ends_after_a_time) {
  topology t{"test"};
  t.from(topic<bytes, std::int32_t>{"in"}) | map("call", positive).on_failure(retry(1min).then(skip)) | to("out");
  running r{t};
  const auto early = failed_before("call", 500, -59'000), late = failed_before("call", 500, -60'000);
  EXPECT_TRUE(r.push(value(number(-1)), ~0ull, &early));
  EXPECT_FALSE(r.push(value(number(-1)), ~0ull, &late));
}

TEST(retry, of_one_node_does_not_count_for_another) {
  topology t{"test"};
  t.from(topic<bytes, std::int32_t>{"in"}) | map("call", positive).on_failure(retry(2)) | to("out");
  running r{t};
  const auto elsewhere = failed_before("other", 2);
  const auto failed = r.push(value(number(-1)), ~0ull, &elsewhere);
  ASSERT_TRUE(failed);
  EXPECT_TRUE(failed->again);
}

TEST(retry, counts_for_each_node_where_branches_fail_at_the_same_record) {
  topology t{"test"};
  auto s = t.from(topic<bytes, std::int32_t>{"in"});
  s | map("a", positive).on_failure(retry(2).then(skip)) | to("a-out");
  s | map("b", positive).on_failure(retry(3).then(skip)) | to("b-out");
  running r{t};
  EXPECT_EQ(push_until_done(r, value(number(-1))), 6);
  EXPECT_EQ(r.counts("b").skipped, 1u);
  EXPECT_EQ(r.counts("a").retried, 2u);
  EXPECT_EQ(r.counts("b").retried, 3u);
}

TEST(retry, counts_for_each_element_on_its_own) {
  topology t{"test"};
  std::map<std::int32_t, int> calls;
  const auto fail_at_first = [&](std::int32_t n) {
    if (++calls[n] <= n) throw std::runtime_error{"not yet"};
    return n;
  };
  t.from(topic<bytes, std::int32_t>{"in"}) | flat_map([](std::int32_t n) { return std::vector{n, n - 1, 0}; }) |
      map("call", fail_at_first).on_failure(retry(2).then(skip)) | to("out");
  running r{t};
  EXPECT_EQ(push_until_done(r, value(number(2))), 4);
  EXPECT_EQ(r.values(), (std::vector{number(2), number(1), number(0)}));
  EXPECT_EQ(r.counts("call").skipped, 0u);
}

TEST(retry, without_anything_behind_it_stops) {
  topology t{"test"};
  t.from(topic<bytes, std::int32_t>{"in"}) | map("call", positive).on_failure(retry(1)) | to("out");
  running r{t};
  const auto one = failed_before("call", 1);
  const auto failed = r.push(value(number(-1)), ~0ull, &one);
  ASSERT_TRUE(failed);
  EXPECT_FALSE(failed->again);
}

TEST(a_permanent_error, is_not_tried_again) {
  topology t{"test"};
  t.from(topic<bytes, std::int32_t>{"in"}).on_failure(retry(9).then(skip)) |
      peek("call", [](std::int32_t) { throw permanent_error{"gone for good"}; }).on_failure(retry(forever).then(skip)) |
      to("out");
  running r{t};
  EXPECT_FALSE(r.push(value(number(1))));
  EXPECT_EQ(r.counts("call").skipped, 1u);
  EXPECT_FALSE(r.push(value("no number")));
  EXPECT_EQ(r.counts("call").skipped, 2u);
}

TEST(policies, are_described_in_words) {
  EXPECT_EQ(stop.text(), "stop");
  EXPECT_EQ(retry(5).text(), "retry(5)");
  EXPECT_EQ(retry(forever).then(skip).text(), "retry(forever).then(skip)");
  EXPECT_EQ(retry(10min).then(dead_letter("x.dlq")).text(), "retry(600s).then(dead_letter(x.dlq))");
}

TEST(retry, ends_in_no_other_retry) {
  const policy again = retry(3);
  EXPECT_THROW(retry(5).then(again), std::invalid_argument);
  EXPECT_THROW(retry(5).then(policy{retry(1min).then(skip)}), std::invalid_argument);
}

TEST(a_letter, can_be_read_back) {
  arena room;
  const header own[] = {{"trace", "1"}, {"trace", bytes{}}};
  const letter what{"check", letter_reason::refused, "too large", {"home", "orders", 3, 7}, 2, 1234};
  const auto headers = headers_of(what, own, room);
  const auto found = read_letter(headers);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->node, "check");
  EXPECT_EQ(found->reason, letter_reason::refused);
  EXPECT_EQ(found->text, "too large");
  EXPECT_EQ(found->from.cluster, "home");
  EXPECT_EQ(found->from.topic, "orders");
  EXPECT_EQ(found->from.partition, 3);
  EXPECT_EQ(found->from.offset, 7);
  EXPECT_EQ(found->attempts, 2);
  EXPECT_EQ(found->time, 1234);
  EXPECT_THAT(without_letter(headers, room), testing::ElementsAre(own[0], own[1]));
}

TEST(drain, tries_again_at_once_what_a_retry_wants_tried) {
  int asked = 0;
  const auto answers_the_third_time = [&asked](int n) {
    if (++asked % 3 != 0) throw std::runtime_error{"no answer"};
    return n;
  };
  std::vector<int> answered;
  topology t{"app"};
  t.from(std::vector{1, 2}) | map("ask", answers_the_third_time).on_failure(retry(forever)) | collect(answered);
  drain(t);
  EXPECT_THAT(answered, testing::ElementsAre(1, 2));
  EXPECT_EQ(asked, 6);
}

TEST(drain, gives_up_what_fails_for_ever) {
  topology t{"app"};
  std::vector<int> answered;
  t.from(std::vector{1, 2}) | map("ask", [](int n) {
    if (n == 1) throw std::runtime_error{"no answer"};
    return n;
  }).on_failure(retry(5).then(skip)) | collect(answered);
  drain(t);
  EXPECT_THAT(answered, testing::ElementsAre(2));
  topology u{"app"};
  u.from(std::vector{1}) | map("ask", [](int) -> int { throw std::runtime_error{"no answer"}; }).on_failure(retry(forever)) |
      collect(answered);
  EXPECT_THROW(drain(u), std::runtime_error);
}

TEST(a_letter, that_fails_again_counts_on_and_says_only_the_latest) {
  arena room;
  const auto first = headers_of({"a", letter_reason::failed, "one", {"home", "orders", 0, 7}, 2, 1}, {}, room);
  const auto again = headers_of({"b", letter_reason::failed, "two", {"home", "orders", 0, 9}, 1, 2}, first, room);
  EXPECT_EQ(again.size(), first.size());
  EXPECT_EQ(read_letter(again)->node, "b");
  EXPECT_EQ(read_letter(again)->attempts, 3);
}

TEST(headers, that_are_no_letters_are_not_taken_for_one) {
  arena room;
  EXPECT_FALSE(read_letter({}));
  const auto whole = headers_of({"a", letter_reason::failed, "one", {"home", "orders", 0, 7}}, {}, room);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    std::vector<header> part{whole.begin(), whole.end()};
    part.erase(part.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_FALSE(read_letter(part)) << whole[i].key;
    part = {whole.begin(), whole.end()};
    part[i].value = bytes{};
    EXPECT_FALSE(read_letter(part)) << whole[i].key;
    if (i == 1 || i > 4) {
      part[i].value = "12x";
      EXPECT_FALSE(read_letter(part)) << whole[i].key;
    }
  }
}

}  // namespace
}  // namespace flow
