#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>

#include <string>

#include "member.hpp"

namespace flow::kafka {
namespace {

/// As the client writes it, which is the form that `parse_membership` has to keep up with.
std::string written(const port::membership& as) {
  auto* metadata = rd_kafka_consumer_group_metadata_new_with_genid(
      as.group.c_str(), as.generation, as.member_id.c_str(), as.instance_id.empty() ? nullptr : as.instance_id.c_str());
  void* buffer = nullptr;
  std::size_t size = 0;
  EXPECT_EQ(rd_kafka_consumer_group_metadata_write(metadata, &buffer, &size), nullptr);
  std::string text{static_cast<const char*>(buffer), size};
  rd_kafka_mem_free(nullptr, buffer);
  rd_kafka_consumer_group_metadata_destroy(metadata);
  return text;
}

TEST(memberships, are_read_as_the_client_writes_them) {
  for (const port::membership& as : {port::membership{"sync.home", 7, "member-1", ""},
                                     port::membership{"sync.home", 2'000'000'000, "member-1", "replica-3"},
                                     port::membership{"g", -1, "", ""}, port::membership{"g", 0, "", "replica"}})
    EXPECT_EQ(parse_membership(written(as)), as);
}

TEST(memberships, that_are_cut_off_are_not_valid) {
  const std::string whole = written({"group", 7, "member", "instance"});
  for (std::size_t size = 0; size < whole.size() - std::string{"member\0\0instance"}.size() - 10; ++size)
    EXPECT_FALSE(parse_membership(whole.substr(0, size)).valid()) << size;
  EXPECT_FALSE(parse_membership("something else altogether").valid());
}

}  // namespace
}  // namespace flow::kafka
