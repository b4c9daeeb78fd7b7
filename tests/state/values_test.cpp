#include "values.hpp"

#include <gtest/gtest.h>

namespace flow::database {
namespace {

using namespace std::string_literals;

// What is on somebody's disk. A difference here is another format.
TEST(values, stand_as_they_do_on_disk) {
  EXPECT_EQ(key_of(port::lane_key{"tokyo", 258}), "tokyo\0\0\1\2"s);
  EXPECT_EQ(value_of(port::lane_state{513, "position"}), "\0\0\0\0\0\0\2\1position"s);

  const topic_partition where{"orders", 3};
  const port::seen_page page{"seen", where, 258, 259, 5, {{0x0102030405060708, 0x1112131415161718, 258, 1'000}}};
  EXPECT_EQ(key_of(page), "seen\0orders\0\0\0\0\3\0\0\0\0\0\0\1\2"s);
  EXPECT_EQ(value_of(page),
            "\0\0\0\0\0\0\1\3"
            "\0\0\0\0\0\0\0\5"
            "\1\2\3\4\5\6\7\10"
            "\x11\x12\x13\x14\x15\x16\x17\x18"
            "\0\0\0\0\0\0\1\2"
            "\0\0\0\0\0\0\3\xe8"s);
  EXPECT_EQ(seen_page_of("seen", where, key_of(page).substr(prefix_of("seen", where).size()), value_of(page)), page);
}

}  // namespace
}  // namespace flow::database
