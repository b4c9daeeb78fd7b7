#include "quarantine.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <string>
#include <system_error>
#include <vector>

#include "failures.hpp"

namespace flow::database {
namespace {

namespace fs = std::filesystem;

constexpr const char* prefix = "damaged-";

/// The lock that RocksDB takes, while no database is open.
class lock {
 public:
  explicit lock(const fs::path& directory)
      : file_{::open((directory / "LOCK").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)} {
    struct flock wanted {};
    wanted.l_type = F_WRLCK;
    held_ = file_ >= 0 && ::fcntl(file_, F_SETLK, &wanted) == 0;
    error_ = held_ ? 0 : errno;
  }
  lock(const lock&) = delete;
  lock& operator=(const lock&) = delete;
  ~lock() {
    if (file_ >= 0) ::close(file_);
  }

  bool held() const { return held_; }
  int error() const { return error_; }

 private:
  int file_;
  int error_ = 0;
  bool held_ = false;
};

// There may be one of this second already.
fs::path new_folder(const fs::path& directory) {
  const auto now = std::time(nullptr);
  std::tm parts{};
  char text[32];
  gmtime_r(&now, &parts);
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  const auto first = directory / (prefix + std::string{text});
  auto folder = first;
  for (int i = 2; fs::exists(folder); ++i) folder = first.string() + "-" + std::to_string(i);
  return folder;
}

bool stays(const fs::path& name) {
  return name == "LOCK" || name.string().starts_with(prefix);
}

}  // namespace

result<fs::path> set_aside(const fs::path& directory) {
  const lock ours{directory};
  if (!ours.held() && (ours.error() == EAGAIN || ours.error() == EACCES))
    return fail(failure_kind::refused, quoted(directory) + " is damaged, and in use by another process", one_each);
  if (!ours.held()) return tl::unexpected{because(ours.error(), directory, "it cannot be locked")};
  try {
    std::vector<fs::path> all;
    for (const auto& entry : fs::directory_iterator{directory})
      if (!stays(entry.path().filename())) all.push_back(entry.path());
    const auto folder = new_folder(directory);
    fs::create_directory(folder);
    for (const auto& each : all) fs::rename(each, folder / each.filename());
    return folder;
  } catch (const fs::filesystem_error& problem) {
    return tl::unexpected{because(problem.code().value(), directory, problem.code().message())};
  }
}

}  // namespace flow::database
