#include <sys/mman.h>
#include <unistd.h>

#include "demand.hpp"
#include "sample.hpp"

// Configuration files of any bytes.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace flow;
  static const int file = memfd_create("configuration", MFD_CLOEXEC);
  static const std::string name = "/proc/self/fd/" + std::to_string(file);
  demand(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == static_cast<ssize_t>(size), "there is memory");
  const auto variables = sample::lookup({{"HOST", "kafka"}, {"EMPTY", ""}});
  try {
    const auto read = load<sample::settings>({.file = name, .flags = {}, .variables = variables, .prefix = {}});
    demand(read.lanes >= 1 && read.lanes <= 1024 && read.token.size() >= 4, "what is read has been checked");
  } catch (const configuration_error& wrong) {
    demand(!wrong.problems().empty(), "a refusal says why");
    for (const auto& each : wrong.problems()) {
      demand(!each.text.empty(), "every problem is said");
      demand(each.at.source == name, "every problem is in the file");
    }
  }
  return 0;
}
