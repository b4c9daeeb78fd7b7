#include "running.hpp"

namespace flow {
namespace {

TEST(merge, passes_the_records_of_all) {
  topology t{"test"};
  auto a = t.from(topic<bytes, bytes>{"a"});
  auto b = t.from(topic<bytes, bytes>{"b"});
  auto c = t.from(topic<bytes, bytes>{"c"});
  merge(a, b, c) | to("out");
  running r{t};
  for (std::uint32_t i = 0; i < 6; ++i) EXPECT_FALSE(r.push({.value = std::to_string(i), .source = i % 3}));
  EXPECT_THAT(r.values(), testing::ElementsAre("0", "1", "2", "3", "4", "5"));
}

TEST(merge, is_by_key_only_if_all_are) {
  topology t{"test"};
  auto a = t.from(topic<std::string, std::string>{"a"});
  auto b = t.from(topic<std::string, std::string>{"b"});
  auto scattered = b | key_by([](const std::string& v) { return v; });
  merge(a, b) | to("kept");
  merge(a, scattered) | to("hashed");
  const running r{t};
  EXPECT_TRUE(r.plan().sinks()[0].keeps_partition);
  EXPECT_FALSE(r.plan().sinks()[1].keeps_partition);
}

TEST(merge, feeds_several_readers) {
  topology t{"test"};
  auto all = merge(t.from(topic<bytes, bytes>{"a"}), t.from(topic<bytes, bytes>{"b"}));
  all | to("x");
  all | to("y");
  running r{t};
  EXPECT_FALSE(r.push({.value = "v", .source = 1}));
  EXPECT_THAT(r.values(), testing::ElementsAre("v", "v"));
}

}  // namespace
}  // namespace flow
