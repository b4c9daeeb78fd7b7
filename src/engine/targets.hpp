#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <flow/plan.hpp>

namespace flow::engine {

/// What every worker of a topology writes to: a cluster, or what a sink with lanes of its own has there.
struct target_name {
  std::string cluster;
  std::string sink{};

  auto operator<=>(const target_name&) const = default;
};

inline std::string to_string(const target_name& of) {
  return of.sink.empty() ? of.cluster : of.cluster + "/" + of.sink;
}

/// Each with the numbers of the sinks that write there.
inline std::map<target_name, std::vector<std::uint32_t>> targets_of(const plan& topology,
                                                                    const std::string& home_cluster) {
  std::map<target_name, std::vector<std::uint32_t>> found;
  const auto& sinks = topology.sinks();
  for (std::uint32_t i = 0; i < sinks.size(); ++i)
    for (const auto& cluster : sinks[i].clusters)
      found[{cluster == home ? home_cluster : cluster, sinks[i].lanes}].push_back(i);
  return found;
}

}  // namespace flow::engine
