#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <flow/app.hpp>
#include <flow/raw_record.hpp>

namespace flow {

/// Kafka clusters in memory, with Kafka's transactions and groups, in real time: for demos, and for tests of programs
/// that embed an app.
///
///     memory_clusters clusters;
///     clusters.create_topic("home", "orders", 6);
///     app running{topology, {.clusters = {{"home", {}}, {"tokyo", {}}}, .state = "", .connect = clusters.connect()}};
///
/// Outlives every app that uses it. Any thread. What names a topic that is not there throws std::out_of_range.
class memory_clusters {
 public:
  explicit memory_clusters(std::uint64_t seed = 1);
  ~memory_clusters();
  memory_clusters(const memory_clusters&) = delete;
  memory_clusters& operator=(const memory_clusters&) = delete;

  /// For `app_options::connect`. A cluster comes to be when it is first named.
  connector connect();

  void create_topic(const std::string& cluster, const std::string& topic, std::int32_t partitions = 1,
                    const std::map<std::string, std::string>& settings = {});
  void change_settings(const std::string& cluster, const std::string& topic,
                       const std::map<std::string, std::string>& settings);
  /// Writes from outside of any topology; answers the offset.
  std::int64_t write(const std::string& cluster, const std::string& topic, std::int32_t partition,
                     const raw_record& what);
  /// As retention does: everything of this partition below `new_start` is gone.
  void delete_records(const std::string& cluster, const std::string& topic, std::int32_t partition,
                      std::int64_t new_start);
  /// What a `read_committed` reader gets now, per partition in order.
  std::vector<std::vector<raw_record>> read(const std::string& cluster, const std::string& topic);

  /// No request gets to a cluster and no answer back until it is healed.
  void cut(const std::string& cluster);
  void heal(const std::string& cluster);

 private:
  class inside;
  std::unique_ptr<inside> inside_;
};

}  // namespace flow
