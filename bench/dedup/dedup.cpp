#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <set>
#include <string>

#include "database.hpp"
#include "scratch.hpp"

#include <flow/seen_ids.hpp>
#include <flow/spill.hpp>

/// bench_dedup [LIVE [PART...]]: random ids of 16 bytes against LIVE that are known (10 million unless told otherwise):
/// CPU-seconds per million and bytes per id in `memory`, how long a `reload` from the state directory takes, and beside
/// it what one would write without flow, in `rocksdb`: a get and put for each id. All these unless some are named; and
/// mostly on `disk` if that is.

namespace {

using namespace std::chrono_literals;

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

double resident_megabytes() {
  std::ifstream file{"/proc/self/statm"};
  std::int64_t all = 0, resident = 0;
  file >> all >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

double peak_megabytes() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_maxrss) * 1024 / 1e6;
}

class random_ids {
 public:
  std::string next() {
    std::string id(16, '\0');
    for (std::size_t at = 0; at < id.size(); at += 8) {
      const auto roll = dice_();
      id.replace(at, 8, reinterpret_cast<const char*>(&roll), 8);
    }
    return id;
  }

 private:
  std::mt19937_64 dice_{42};
};

constexpr std::int64_t least_measured = 2'000'000;
constexpr auto window = 24h;

/// Ids at an even pace, so that `live` of them lie within the window.
std::int64_t time_of(std::int64_t number, std::int64_t live) {
  return number * std::chrono::milliseconds{window}.count() / live;
}

double flow_alone(std::int64_t live, flow::spill* beyond = nullptr) {
  random_ids ids;
  flow::seen_ids seen{window, flow::database::new_dedup_key(), beyond};
  double most = 0;
  std::chrono::duration<double> longest{};
  const auto judge = [&](std::int64_t number) {
    const auto now = time_of(number, live);
    seen.judge(ids.next(), number, now, now);
    if (number % 100'000 == 0) {
      most = std::max(most, resident_megabytes());
      seen.forget_before(now - std::chrono::milliseconds{window}.count());
      seen.take_new();
    }
    if (beyond && number % 4'096 == 0) {
      const auto began = std::chrono::steady_clock::now();
      seen.make_room();
      longest = std::max<std::chrono::duration<double>>(longest, std::chrono::steady_clock::now() - began);
    }
  };
  const double before = resident_megabytes();
  for (std::int64_t i = 0; i < live; ++i) judge(i);
  const double bytes = (resident_megabytes() - before) * 1e6 / static_cast<double>(seen.size());
  const auto began = cpu_seconds();
  // What is done for an eighth of the window at once is part of it.
  const auto measured = beyond ? std::max(least_measured, live / 8) : least_measured;
  for (std::int64_t i = live; i < live + measured; ++i) judge(i);
  const double cost = (cpu_seconds() - began) / (static_cast<double>(measured) / 1e6);
  std::printf("flow, %-14s             %6.2f cpu-s/M, %.1f bytes per id (%.1f by its own account)\n",
              beyond ? "mostly on disk" : "in memory", cost, bytes,
              static_cast<double>(seen.memory()) / static_cast<double>(seen.size()));
  // What has expired is still there until its eighth of the window has.
  std::printf("  at most %.1f bytes per live id, %.1f for a moment\n",
              (most - before) * 1e6 / static_cast<double>(live),
              (peak_megabytes() - before) * 1e6 / static_cast<double>(live));
  if (beyond)
    std::printf("  %.1f MB by its own account, %.1f at most, %.1f for a moment, %.1f on disk; room made in %.0f ms at most\n",
                static_cast<double>(beyond->in_memory()) / 1e6, most - before, peak_megabytes() - before,
                static_cast<double>(beyond->on_disk()) / 1e6, longest.count() * 1e3);
  return cost;
}

/// With 64 MiB for 100 million.
void flow_on_disk(std::int64_t live, const std::filesystem::path& folder) {
  const auto say = [](flow::severity, std::string_view text) { std::puts(std::string{text}.c_str()); };
  const auto memory = static_cast<std::size_t>(live) * (64u << 20) / 100'000'000;
  flow::spill beyond{memory, [&] { return flow::database::open_scratch(folder); }, say};
  flow_alone(live, &beyond);
}

std::unique_ptr<flow::port::state> open_state(const std::filesystem::path& folder) {
  return *flow::database::open_state(folder / "flow", {"bench", "home"}, [](flow::severity, std::string_view) {});
}

void reload(std::int64_t live, const std::filesystem::path& folder) {
  random_ids ids;
  const flow::topic_partition where{"events", 0};
  std::string key;
  {
    auto state = open_state(folder);
    key = state->dedup_key();
    flow::seen_ids seen{window, key};
    std::int64_t from = 0;
    for (std::int64_t i = 0; i < live; ++i) {
      seen.judge(ids.next(), i, time_of(i, live), time_of(i, live));
      if (seen.count_of_new() == 65'536 || i + 1 == live) {
        while (!state->remember({{"seen", where, from, i + 1, 0, seen.take_new()}}, {})) usleep(10'000);
        from = i + 1;
      }
    }
  }
  const auto began = std::chrono::steady_clock::now();
  const auto used = cpu_seconds();
  auto state = open_state(folder);
  flow::seen_ids seen{window, key};
  if (!state->recall("seen", where, [&](const auto& page) { seen.insert(page.occurrences); })) std::abort();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("back from the state directory    %6.2f s, %.2f cpu-s, %zu ids\n", took.count(), cpu_seconds() - used,
              seen.size());
}

double rocksdb_alone(std::int64_t live, const std::filesystem::path& folder) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::BlockBasedTableOptions table;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  rocksdb::DB* opened = nullptr;
  if (!rocksdb::DB::Open(options, folder / "rocksdb", &opened).ok()) std::abort();
  const std::unique_ptr<rocksdb::DB> db{opened};
  random_ids ids;
  std::string value;
  const auto judge = [&](std::int64_t) {
    const auto id = ids.next();
    if (db->Get({}, id, &value).IsNotFound()) db->Put({}, id, "12345678").PermitUncheckedError();
  };
  for (std::int64_t i = 0; i < live; ++i) judge(i);
  const auto began = cpu_seconds();
  for (std::int64_t i = live; i < live + least_measured; ++i) judge(i);
  const double cost = (cpu_seconds() - began) / (least_measured / 1e6);
  std::printf("a RocksDB get and put per id     %6.2f cpu-s/M\n", cost);
  return cost;
}

}  // namespace

int main(int argc, char** argv) {
  const std::int64_t live = argc > 1 ? std::atoll(argv[1]) : 10'000'000;
  std::string pattern = std::filesystem::temp_directory_path() / "flow-bench-XXXXXX";
  const std::filesystem::path folder = mkdtemp(pattern.data());
  const std::set<std::string> parts{argv + std::min(argc, 2), argv + argc};
  const auto is_wanted = [&](const char* part) { return parts.empty() || parts.contains(part); };
  ::setlinebuf(stdout);
  const double ours = is_wanted("memory") ? flow_alone(live) : 0;
  if (parts.contains("disk")) flow_on_disk(live, folder);
  if (is_wanted("reload")) reload(live, folder);
  const double theirs = is_wanted("rocksdb") ? rocksdb_alone(live, folder) : 0;
  if (ours > 0 && theirs > 0) std::printf("ratio                            %6.3f\n", ours / theirs);
  std::filesystem::remove_all(folder);
}
