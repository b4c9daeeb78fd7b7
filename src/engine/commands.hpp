#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "loop.hpp"
#include "site.hpp"

namespace flow::engine {

/// What the lanes of one cluster are told. Each looks here, and remembers in its position what it has obeyed.
class commands {
 public:
  explicit commands(const site& at) : at_{at} {}

  /// Looks for new ones for as long as the worker runs.
  task<void> follow();
  /// Behind the newest that concerns this topic's partitions; 0: there is none.
  std::int64_t behind(const std::string& topic) const;
  /// Behind all that there are; -1: not known yet.
  std::int64_t end() const { return end_; }

 private:
  task<result<void>> look();

  const site& at_;
  std::int64_t next_ = 0;
  std::int64_t end_ = -1;
  std::map<std::string, std::int64_t> newest_;  // by topic; empty: of all
};

}  // namespace flow::engine
