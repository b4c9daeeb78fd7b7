#pragma once

#include "memory/records.hpp"

#include <flow/raw_record.hpp>

namespace flow {

/// Without a timestamp of its own a record gets that of the moment, as clients do it.
inline memory::record to_memory(const raw_record& what, std::int64_t now) {
  memory::record made{what.key, what.value, what.timestamp == 0 ? now : what.timestamp, {}, 0};
  for (const auto& each : what.headers) made.headers.push_back({each.key, each.value});
  return made;
}

inline std::vector<std::vector<raw_record>> from_memory(const std::vector<std::vector<memory::record>>& contents) {
  std::vector<std::vector<raw_record>> all;
  for (const auto& partition : contents) {
    auto& into = all.emplace_back();
    for (const auto& each : partition) {
      auto& made = into.emplace_back(raw_record{each.key, each.value, each.timestamp, {}, each.offset});
      for (const auto& one : each.headers) made.headers.push_back({one.key, one.value});
    }
  }
  return all;
}

}  // namespace flow
