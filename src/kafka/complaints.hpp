#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include <flow/log.hpp>

namespace flow::kafka {

/// What the clients of one cluster have to say, on its way to the log: each cause once, and again at rising intervals
/// for as long as it lasts. Any thread.
class complaints {
 public:
  /// What stands in `secrets` is never passed on.
  complaints(std::string cluster, std::vector<std::string> secrets, log_sink log);

  void say(severity how, std::string_view cause, std::string_view text);
  /// The same text without secrets.
  std::string masked(std::string_view text) const;

 private:
  using clock = std::chrono::steady_clock;
  struct said {
    clock::time_point next;
    clock::duration pause;
    int unsaid = 0;
  };

  /// How often this cause was swallowed since it was last said; -1 to swallow it now.
  int due(std::string cause);

  const std::string cluster_;
  const std::vector<std::string> secrets_;
  const log_sink log_;
  std::mutex mutex_;
  std::map<std::string, said> causes_;
};

}  // namespace flow::kafka
