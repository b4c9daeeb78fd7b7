#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <string>

namespace bench {

/// What a loop prints in the end: one line of JSON, the same for every program under test.
struct report {
  std::string program;
  int64_t records = 0;    // read
  int64_t forwarded = 0;  // written, to each target
  int64_t commits = 0;
  double wall_seconds = 0;  // from the first record read to the last commit

  /// CPU time (user and system, all threads) and the highest resident size are the whole process's.
  void print() const {
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    const double cpu = seconds(used.ru_utime) + seconds(used.ru_stime);
    const double millions = static_cast<double>(std::max<int64_t>(records, 1)) / 1e6;
    std::printf(
        "{\"program\": \"%s\", \"records\": %ld, \"forwarded\": %ld, \"commits\": %ld, \"wall_s\": %.3f, \"cpu_s\": "
        "%.3f, "
        "\"cpu_s_per_million\": %.3f, \"rate\": %.0f, \"max_rss_mb\": %.1f}\n",
        program.c_str(), records, forwarded, commits, wall_seconds, cpu, cpu / millions,
        wall_seconds > 0 ? static_cast<double>(records) / wall_seconds : 0.0,
        static_cast<double>(used.ru_maxrss) / 1024);
    std::fflush(stdout);
  }
};

}  // namespace bench
