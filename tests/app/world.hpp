#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <unistd.h>

#include <flow/app.hpp>
#include <flow/flow.hpp>
#include <flow/memory_clusters.hpp>

namespace flow {

using namespace std::chrono_literals;

/// Looks again and again until `holds`; false if that takes longer than `limit`.
inline bool eventually(const std::function<bool()>& holds, std::chrono::milliseconds limit = 20s) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

/// A directory that is not there yet, and goes with its owner.
class scratch_directory {
 public:
  scratch_directory() {
    std::string name = std::filesystem::temp_directory_path() / "flow-app-XXXXXX";
    if (!mkdtemp(name.data())) throw std::runtime_error{"no temporary directory can be made"};
    parent_ = name;
  }
  ~scratch_directory() { std::filesystem::remove_all(parent_); }
  scratch_directory(const scratch_directory&) = delete;
  scratch_directory& operator=(const scratch_directory&) = delete;

  std::filesystem::path path() const { return parent_ / "state"; }

 private:
  std::filesystem::path parent_;
};

/// What each partition holds, as texts.
using contents = std::vector<std::vector<std::string>>;

/// Clusters home, tokyo and oregon, and a topic "orders" at home.
struct world {
  explicit world(std::int32_t partitions = 1) : written(static_cast<std::size_t>(partitions)) {
    clusters.create_topic("home", "orders", partitions);
  }

  app_options options(const std::string& instance = "one") {
    return {.instance = instance,
            .clusters = {{"home", {}}, {"tokyo", {}}, {"oregon", {}}},
            .state = "",
            .lanes = 6,
            .connect = clusters.connect()};
  }

  void write(const std::string& value, std::int32_t partition = 0) {
    clusters.write("home", "orders", partition, {.key = "k", .value = value, .timestamp = 1'700'000'000'000});
    written[static_cast<std::size_t>(partition)].push_back(value);
  }
  /// `count` records, by turns to every partition.
  void write_many(int count) {
    for (const int end = numbered_ + count; numbered_ < end; ++numbered_)
      write(std::to_string(numbered_), numbered_ % static_cast<std::int32_t>(written.size()));
  }

  contents values(const std::string& cluster, const std::string& topic = "orders") {
    contents all;
    try {
      for (const auto& partition : clusters.read(cluster, topic)) {
        auto& into = all.emplace_back();
        for (const auto& each : partition) into.push_back(each.value.value_or("null"));
      }
    } catch (const std::out_of_range&) {
      // The topic has not been made yet.
    }
    return all;
  }
  std::size_t count(const std::string& cluster) {
    std::size_t sum = 0;
    for (const auto& partition : values(cluster)) sum += partition.size();
    return sum;
  }

  memory_clusters clusters;
  contents written;

 private:
  int numbered_ = 0;
};

/// What the first worker says of a target; nothing if it has not told of itself yet.
inline target_status target_named(const std::string& cluster, const app_status& of) {
  for (const auto& each : of.workers.at(0).targets)
    if (each.cluster == cluster) return each;
  return {};
}

inline topology copies(std::vector<std::string> targets = {"tokyo"}) {
  topology t{"copies"};
  t.from(topic<bytes, bytes>{"orders"}) | fan_out("regions", std::move(targets));
  return t;
}

/// Copies what is not "bad", at which its one operator, "check", fails.
inline topology checked_copies(policy on_bad, std::vector<std::string> targets = {"tokyo"}) {
  topology t{"copies"};
  t.from(topic<bytes, bytes>{"orders"}) | peek("check", [](bytes value) {
    if (value.view() == "bad") throw std::runtime_error{"a bad order"};
  }).on_failure(on_bad) | fan_out("regions", std::move(targets));
  return t;
}

}  // namespace flow
