#include "failures.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace flow::database {

namespace fs = std::filesystem;

namespace {

// POSIX forgets a process's locks on a file as soon as it closes any descriptor of it. So this is asked only when
// RocksDB has said that the lock is not ours.
std::string lock_holder(const fs::path& directory) {
  const int file = ::open((directory / "LOCK").c_str(), O_RDWR | O_CLOEXEC);
  if (file < 0) return "another process";
  struct flock query {};
  query.l_type = F_WRLCK;
  query.l_whence = SEEK_SET;
  const bool held = ::fcntl(file, F_GETLK, &query) == 0 && query.l_type != F_UNLCK && query.l_pid > 0;
  ::close(file);
  return held ? "process " + std::to_string(query.l_pid) : "another process";
}

// RocksDB keeps of an errno only its text, at the end of its own.
int errno_of(const rocksdb::Status& status) {
  const auto text = status.ToString();
  for (const int error : {EACCES, EPERM, EROFS, ENOTDIR, ENOSPC, EDQUOT, EFBIG})
    if (text.ends_with(std::generic_category().message(error))) return error;
  return 0;
}

}  // namespace

std::string quoted(const fs::path& directory) {
  return "the state directory '" + directory.string() + "'";
}

failure because(int error, const fs::path& directory, const std::string& detail) {
  const auto state_directory = quoted(directory);
  switch (error) {
    case EACCES:
    case EPERM:
      return {failure_kind::refused, state_directory + " may not be read and written by this process",
              "give it to user " + std::to_string(::geteuid()) + " with all its files, or choose another one"};
    case EROFS:
      return {failure_kind::refused, state_directory + " is on a read-only file system",
              "choose one that can be written, or mount it writable"};
    case ENOTDIR:
      return {failure_kind::refused, state_directory + " is not a directory, or lies in something that is none",
              "move that file away, or choose another path"};
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return {failure_kind::retriable, "no space is left for " + state_directory,
              "make room on its disk or in the quota; it goes on by itself"};
    default:
      return {failure_kind::retriable, state_directory + " cannot be used: " + detail,
              "look at the disk; it goes on by itself once that works"};
  }
}

failure at_start(failure why) {
  if (why.kind == failure_kind::retriable) why.remedy = "mend that, or choose another directory, and start again";
  return why;
}

failure because(const rocksdb::Status& status, const fs::path& directory) {
  const auto text = status.ToString();
  if (text.find("lock hold by current process") != text.npos)
    return {failure_kind::refused, quoted(directory) + " is already open in this process", one_each};
  if (text.find("While lock file") != text.npos)
    return {failure_kind::refused, quoted(directory) + " is in use by " + lock_holder(directory),
            "stop that process, or " + std::string{one_each}};
  if (status.IsCorruption() || status.IsPathNotFound())
    return {failure_kind::corrupt, quoted(directory) + " is damaged: " + text,
            "start again: it is set aside then, and positions come back from the targets"};
  if (status.IsIncomplete())
    return {failure_kind::retriable, "the disk of " + quoted(directory) + " is slower than the commits",
            "use a faster disk or a longer `commit_every`; it goes on by itself"};
  return because(errno_of(status), directory, text);
}

}  // namespace flow::database
