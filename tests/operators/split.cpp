#include <random>

#include "running.hpp"

namespace flow {
namespace {

TEST(split, sends_each_record_to_the_first_branch_that_takes_it) {
  topology t{"test"};
  auto [small, even, rest] =
      t.from(topic<bytes, std::string>{"in"}) |
      split("sizes", when("small", [](const std::string& s) { return s.size() < 3; }),
            when("even", [](const std::string& s) { return s.size() % 2 == 0; }), otherwise("rest"));
  small | to("to-small", "small");
  even | to("to-even", "even");
  rest | to("to-rest", "rest");
  running r{t};
  std::mt19937 random{1};
  for (int i = 0; i < 300; ++i) {
    const std::size_t size = random() % 10;
    EXPECT_FALSE(r.push(value(std::string(size, 'x'))));
    const auto sent = r.take();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].sink, size < 3 ? "to-small" : size % 2 == 0 ? "to-even" : "to-rest");
  }
}

TEST(split, drops_and_counts_what_no_branch_takes) {
  topology t{"test"};
  auto [a, b] =
      t.from(topic<bytes, std::string>{"in"}) | split("ab", when("a", [](const std::string& s) { return s == "a"; }),
                                                      when("b", [](const std::string& s) { return s == "b"; }));
  merge(a, b) | to("out");
  running r{t};
  for (const char* text : {"a", "c", "b"}) EXPECT_FALSE(r.push(value(text)));
  EXPECT_THAT(r.values(), testing::ElementsAre("a", "b"));
  EXPECT_EQ(r.counts("ab").dropped, 1u);
}

TEST(split, otherwise_does_not_decode) {
  topology t{"test"};
  auto [rest] = t.from(topic<bytes, std::int32_t>{"in"}) | split(otherwise("rest"));
  rest | to("out");
  running r{t};
  EXPECT_FALSE(r.push(value("no integer")));
  EXPECT_THAT(r.values(), testing::ElementsAre("no integer"));
}

}  // namespace
}  // namespace flow
