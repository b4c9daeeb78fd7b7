#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace flow {

/// A header as bytes, by value; null is no value.
struct raw_header {
  std::string key;
  std::optional<std::string> value{};

  bool operator==(const raw_header&) const = default;
};

/// A record as bytes, by value. The offset says nothing about a record that is being written.
struct raw_record {
  std::optional<std::string> key{};
  std::optional<std::string> value{};
  std::int64_t timestamp = 0;  ///< milliseconds since 1970 UTC; 0 of a record that is written: now
  std::vector<raw_header> headers{};
  std::int64_t offset = 0;

  bool operator==(const raw_record&) const = default;
};

}  // namespace flow
