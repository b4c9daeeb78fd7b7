#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include <flow/log.hpp>
#include <flow/wire.hpp>

namespace flow::engine {

/// What does not get through, by somebody's policy: said once for each node and cause, so that a topic full of bad
/// records does not fill the log. All of it is counted elsewhere.
class omissions {
 public:
  omissions(log_sink log, std::string about) : log_{std::move(log)}, about_{std::move(about)} {}

  /// `is_kept`: as a dead letter. `what`: was meant, if not the record.
  void say(const std::string& node, bool is_kept, const topic_partition& where, std::int64_t offset,
           const std::string& reason, std::string_view what = {}) {
    if (said_.size() == most_causes || !said_.emplace(node, cause_of(reason)).second) return;
    log_(severity::warn, about_ + ": " + node + (is_kept ? ": dead-lettered " : ": skipped ") +
                             std::string{what} + "offset " + std::to_string(offset) + " of " + to_string(where) + ": " + reason);
  }

 private:
  static constexpr std::size_t most_causes = 100;

  // Sizes, offsets and times differ from record to record.
  static std::string cause_of(const std::string& reason) {
    std::string cause;
    for (const char c : reason)
      if (c < '0' || c > '9') cause += c;
    return cause;
  }

  log_sink log_;
  std::string about_;
  std::set<std::pair<std::string, std::string>> said_;
};

}  // namespace flow::engine
