#include <flow/testing/drive.hpp>

#include <stdexcept>

#include "running.hpp"

namespace flow {
namespace {

using namespace std::chrono_literals;

struct event {
  std::string id;
};

TEST(drive, puts_one_stage_to_work) {
  auto d = flow::testing::drive<int, event>(
      [](auto s) { return s | filter([](const event& e) { return e.id != "b"; }) | key_by(&event::id); });
  EXPECT_FALSE(d.push(1, {"a"}, 0h));
  EXPECT_FALSE(d.push(1, {"b"}, 1h));
  EXPECT_FALSE(d.push(2, {"c"}, 23h));
  const auto out = d.take();
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].key, "a");
  EXPECT_EQ(out[1].value.id, "c");
  EXPECT_EQ(out[1].timestamp, 23h);
  EXPECT_TRUE(d.take().empty());
}

TEST(drive, takes_every_record_through) {
  auto d = flow::testing::drive<int, int>([](auto s) { return s; });
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(d.push(i, i));
  EXPECT_EQ(d.take().size(), 4u);
}

TEST(drive, says_why_a_record_did_not_get_through) {
  auto d = flow::testing::drive<int, event>(
      [](auto s) { return s | map("check", [](const event& e) { return e.id.at(0); }); });
  const auto failed = d.push(1, {""});
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->node, "check");
  EXPECT_FALSE(d.push(1, {"x"}));
  EXPECT_EQ(d.take().size(), 1u);
}

TEST(drive, has_no_topics) {
  EXPECT_THROW((flow::testing::drive<std::string, std::string>([](auto s) {
                 return s | repartition("again", 1) | filter([](const std::string&) { return true; });
               })),
               std::logic_error);
}

}  // namespace
}  // namespace flow
