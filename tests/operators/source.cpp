#include <forward_list>
#include <ranges>
#include <sstream>
#include <stdexcept>

#include <range/v3/view/iota.hpp>
#include <range/v3/view/transform.hpp>

#include "running.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;

TEST(from, reads_a_container_to_its_end) {
  topology t{"test"};
  std::vector<int> seen;
  {
    std::vector<int> numbers{1, 2, 3};
    t.from("numbers", numbers) | collect(seen);
    numbers.clear();
  }
  running r{t};
  EXPECT_FALSE(r.pull());
  EXPECT_FALSE(r.pull());
  EXPECT_THAT(seen, testing::ElementsAre(1, 2, 3));
  EXPECT_TRUE(r.plan().sources()[0].bounded);
  EXPECT_EQ(r.plan().sources()[0].name, "numbers");
}

TEST(from, gives_each_graph_a_range_of_its_own) {
  topology t{"test"};
  std::vector<int> seen;
  t.from(std::views::iota(0, 3)) | collect(seen);
  running first{t};
  running second{t};
  EXPECT_FALSE(first.pull());
  EXPECT_FALSE(second.pull());
  EXPECT_THAT(seen, testing::ElementsAre(0, 1, 2, 0, 1, 2));
}

TEST(from, reads_views_and_what_can_be_read_once) {
  topology t{"test"};
  std::vector<int> seen;
  std::istringstream text{"7 8"};
  t.from(ranges::views::iota(1, 3) | ranges::views::transform([](int n) { return n * n; })) | collect(seen);
  t.from(std::views::istream<int>(text)) | collect(seen);
  running r{t};
  EXPECT_FALSE(r.pull(0));
  EXPECT_FALSE(r.pull(1));
  EXPECT_THAT(seen, testing::ElementsAre(1, 4, 7, 8));
  EXPECT_THROW(running{t}, std::logic_error);
}

TEST(from, takes_keys_and_timestamps_of_elements) {
  topology t{"test"};
  t.from(std::vector{keyed{std::string{"k"}, std::string{"v"}}}) | to("keyed");
  t.from(std::vector{stamped<std::string, std::string>{"k2", "v2", 5ms}}) | to("stamped");
  t.from(std::vector<std::string>{"v3"}) | to("values");
  running r{t};
  for (std::uint32_t i = 0; i < 3; ++i) EXPECT_FALSE(r.pull(i));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(sent[0].key, "k");
  EXPECT_EQ(sent[0].timestamp, -1);
  EXPECT_EQ(sent[0].hash, key_hash("k"));
  EXPECT_EQ(sent[1].key, "k2");
  EXPECT_EQ(sent[1].timestamp, 5);
  EXPECT_EQ(sent[2].key, std::nullopt);
  EXPECT_EQ(sent[2].value, "v3");
}

TEST(from, gives_a_record_of_a_range_again_after_a_failure) {
  topology t{"test"};
  std::vector<int> seen;
  bool broken = true;
  t.from(std::vector{1, 2, 3}) | peek("look", [&broken](int n) {
    if (n == 2 && broken) throw std::runtime_error{"not now"};
  }) | collect(seen);
  running r{t};
  EXPECT_EQ(r.pull()->node, "look");
  EXPECT_EQ(r.pull()->reason, "not now");
  broken = false;
  EXPECT_FALSE(r.pull());
  EXPECT_THAT(seen, testing::ElementsAre(1, 2, 3));
}

TEST(from, skips_elements_that_throw_if_told_to) {
  topology t{"test"};
  std::vector<int> seen;
  t.from(
       "odd",
       std::vector{1, 2, 3} | std::views::transform([](int n) {
         if (n == 2) throw std::runtime_error{"even"};
         return n;
       })).on_failure(skip) |
      collect(seen);
  running r{t};
  EXPECT_FALSE(r.pull());
  EXPECT_THAT(seen, testing::ElementsAre(1, 3));
  EXPECT_EQ(r.counts("odd").skipped, 1u);
}

TEST(from, says_where_reading_begins) {
  topology t{"test"};
  t.from("a", topic<bytes, bytes>{"a"}, {.start = beginning}) | to("x");
  t.from("b", topics<bytes, bytes>{{"b.*"}, {"bb"}}, {.start = end}) | to("y");
  t.from("c", topic<bytes, bytes>{"c"}, {.start = at(std::chrono::system_clock::time_point{1500ms})}) | to("z");
  t.from("d", topic<bytes, bytes>{"d"}) | to("w");
  const running r{t};
  const auto& sources = r.plan().sources();
  EXPECT_EQ(sources[0].start, (start_at{start_at::kind::earliest, 0}));
  EXPECT_EQ(sources[1].start, (start_at{start_at::kind::latest, 0}));
  EXPECT_EQ(sources[2].start, (start_at{start_at::kind::time, 1500}));
  EXPECT_EQ(sources[3].start, std::nullopt);
  EXPECT_THAT(sources[1].include, testing::ElementsAre("b.*"));
  EXPECT_THAT(sources[1].exclude, testing::ElementsAre("bb"));
}

}  // namespace
}  // namespace flow
