#include <stdexcept>

#include "running.hpp"

namespace flow {
namespace {

std::int32_t positive(std::int32_t n) {
  if (n <= 0) throw std::runtime_error{"not positive"};
  return n;
}

std::string number(std::int32_t n) {
  std::string room;
  return codec<std::int32_t>::encode(n, room).str();
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

}  // namespace
}  // namespace flow
