#include "running.hpp"

namespace flow {
namespace {

TEST(key_by, replaces_the_key_and_forwards_the_value_untouched) {
  auto r = stage<bytes, std::string>(
      [](auto s) { return s | key_by("first", [](const std::string& v) { return v.substr(0, 1); }); });
  EXPECT_FALSE(r.push({.key = "old", .value = "abc", .partition = 3}));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_EQ(sent[0].key, "a");
  EXPECT_EQ(sent[0].value, "abc");
  EXPECT_TRUE(sent[0].is_hashed);
  EXPECT_EQ(sent[0].hash, key_hash("a"));
}

TEST(key_by, keeps_the_partition_where_the_caller_promises_colocation) {
  auto r = stage<bytes, std::string>(
      [](auto s) { return s | key_by([](const std::string& v) { return v.substr(0, 1); }, colocated); });
  EXPECT_FALSE(r.push({.key = "old", .value = "abc", .partition = 3}));
  const auto sent = r.take();
  ASSERT_EQ(sent.size(), 1u);
  EXPECT_FALSE(sent[0].is_hashed);
  EXPECT_EQ(sent[0].partition, 3);
  EXPECT_TRUE(r.plan().sinks()[0].keeps_partition);
}

TEST(key_by, cannot_undo_scattering) {
  auto r = stage<bytes, std::string>([](auto s) {
    return s | key_by(&std::string::size) | key_by([](const std::string& v) { return v; }, colocated);
  });
  EXPECT_FALSE(r.push(value("abc")));
  EXPECT_TRUE(r.take()[0].is_hashed);
  EXPECT_FALSE(r.plan().sinks()[0].keeps_partition);
}

TEST(key_by, may_look_at_the_value) {
  auto r = stage<bytes, std::string>([](auto s) {
    return s | map([](const std::string& v) { return v + "."; }) |
           key_by([](const std::string& v) { return std::string_view{v}.substr(0, 2); });
  });
  EXPECT_FALSE(r.push(value("abc")));
  EXPECT_EQ(r.take()[0].key, "ab");
}

}  // namespace
}  // namespace flow
