#include "scratch.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <system_error>

#include "failures.hpp"

namespace flow::database {
namespace {

namespace fs = std::filesystem;

tl::unexpected<failure> failed(int error, const fs::path& directory) {
  return tl::unexpected{because(error, directory, std::generic_category().message(error))};
}

// Not all file systems make files without a name.
int make_file(const fs::path& directory) {
  if (const int made = ::open(directory.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600); made >= 0) return made;
  if (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT) return -1;
  auto name = (directory / "scratch-XXXXXX").string();
  const int made = ::mkostemp(name.data(), O_CLOEXEC);
  if (made >= 0) ::unlink(name.c_str());
  return made;
}

class scratch final : public port::scratch {
 public:
  scratch(int file, fs::path directory) : file_{file}, directory_{std::move(directory)} {}
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() override { ::close(file_); }

  result<void> write(std::uint64_t at, std::span<const std::byte> what) override {
    while (!what.empty()) {
      const auto done = ::pwrite(file_, what.data(), what.size(), static_cast<off_t>(at));
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) return failed(done < 0 ? errno : ENOSPC, directory_);
      what = what.subspan(static_cast<std::size_t>(done));
      at += static_cast<std::uint64_t>(done);
    }
    return {};
  }

  result<void> read(std::uint64_t at, std::span<std::byte> into) override {
    while (!into.empty()) {
      const auto done = ::pread(file_, into.data(), into.size(), static_cast<off_t>(at));
      if (done < 0 && errno == EINTR) continue;
      if (done <= 0) return failed(done < 0 ? errno : EIO, directory_);
      into = into.subspan(static_cast<std::size_t>(done));
      at += static_cast<std::uint64_t>(done);
    }
    return {};
  }

  // Where there are no holes the room comes back with the file.
  void drop(std::uint64_t from, std::uint64_t until) override {
    ::fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(from),
                static_cast<off_t>(until - from));
  }

 private:
  const int file_;
  const fs::path directory_;
};

}  // namespace

result<std::unique_ptr<port::scratch>> open_scratch(const fs::path& directory) {
  const int made = make_file(directory);
  if (made < 0) return failed(errno, directory);
  return std::make_unique<scratch>(made, directory);
}

}  // namespace flow::database
