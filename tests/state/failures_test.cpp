#include "failures.hpp"

#include <gtest/gtest.h>

#include <cerrno>

namespace flow::database {
namespace {

// Making a file system read-only takes rights that a test does not have everywhere.
TEST(state_failures, a_read_only_file_system_needs_another_path) {
  const auto why = because(EROFS, "/cdrom/state", "");
  EXPECT_EQ(why.kind, failure_kind::refused);
  EXPECT_EQ(to_string(why),
            "the state directory '/cdrom/state' is on a read-only file system "
            "(choose one that can be written, or mount it writable)");
}

TEST(state_failures, a_full_disk_and_a_full_quota_heal) {
  for (const int error : {ENOSPC, EDQUOT, EFBIG}) {
    const auto why = because(error, "./state", "");
    EXPECT_EQ(why.kind, failure_kind::retriable);
    EXPECT_EQ(to_string(why),
              "no space is left for the state directory './state' "
              "(make room on its disk or in the quota; it goes on by itself)");
  }
  EXPECT_EQ(because(rocksdb::Status::NoSpace("x: No space left on device"), "./state"), because(ENOSPC, "./state", ""));
}

TEST(state_failures, a_disk_that_lags_behind_heals) {
  const auto why = because(rocksdb::Status::Incomplete("Write stall"), "./state");
  EXPECT_EQ(why.kind, failure_kind::retriable);
  EXPECT_EQ(to_string(why),
            "the disk of the state directory './state' is slower than the commits "
            "(use a faster disk or a longer `commit_every`; it goes on by itself)");
}

TEST(state_failures, what_nobody_foresaw_is_said_in_the_words_of_rocksdb) {
  const auto why = because(rocksdb::Status::IOError("While fsync: a.log: Input/output error"), "./state");
  EXPECT_EQ(why.kind, failure_kind::retriable);
  EXPECT_EQ(to_string(why),
            "the state directory './state' cannot be used: IO error: While fsync: a.log: Input/output error "
            "(look at the disk; it goes on by itself once that works)");
}

}  // namespace
}  // namespace flow::database
