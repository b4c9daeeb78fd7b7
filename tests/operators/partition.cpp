#include "running.hpp"

namespace flow {
namespace {

// From the tests of Kafka's own Java client.
TEST(key_hash, is_the_one_of_java_clients_made_positive) {
  const auto positive = [](std::int32_t hash) { return static_cast<std::uint32_t>(hash) & 0x7fffffff; };
  EXPECT_EQ(key_hash("21"), positive(-973932308));
  EXPECT_EQ(key_hash("foobar"), positive(-790332482));
  EXPECT_EQ(key_hash("a-little-bit-long-string"), positive(-985981536));
  EXPECT_EQ(key_hash("a-little-bit-longer-string"), positive(-1486304829));
  EXPECT_EQ(key_hash("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8"), positive(-58897971));
  EXPECT_EQ(key_hash("abc"), positive(479470107));
}

TEST(key_hash, takes_any_bytes) {
  EXPECT_LE(key_hash(""), 0x7fffffffu);
  EXPECT_NE(key_hash({"\xff\xfe\xfd", 3}), key_hash({"\xff\xfe\xfc", 3}));
  EXPECT_NE(key_hash({"\0", 1}), key_hash({"\0\0", 2}));
}

}  // namespace
}  // namespace flow
