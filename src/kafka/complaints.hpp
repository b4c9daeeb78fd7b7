#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <flow/failure.hpp>
#include <flow/log.hpp>

namespace flow::kafka {

struct symptom;

/// What the clients of one cluster have to say, on its way to the log: each cause once, and again at rising intervals
/// for as long as it lasts. What keeps clients from connecting is one cause, whoever of them says it, and is passed on
/// with a remedy. Any thread.
class complaints {
 public:
  /// What stands in `secrets` is never passed on.
  complaints(std::string cluster, std::vector<std::string> secrets, log_sink log);

  void say(severity how, std::string_view text);
  /// The same text without secrets.
  std::string masked(std::string_view text) const;
  /// Gives a request that nobody answers the remedy for what has kept clients from connecting lately, if they said so.
  void explain(failure& unanswered);

 private:
  using clock = std::chrono::steady_clock;
  struct said {
    clock::time_point next;
    clock::duration pause;
    int unsaid = 0;
  };

  /// How often this cause was swallowed since it was last said; -1 to swallow it now.
  int due(std::string cause);
  /// Whether a symptom can be relied on by now; from then on it explains what is not answered.
  bool is_certain(const symptom& of);

  const std::string cluster_;
  const std::vector<std::string> secrets_;
  const log_sink log_;
  std::mutex mutex_;
  std::map<std::string, said> causes_;
  std::optional<clock::time_point> doubted_since_;
  std::string_view remedy_;  ///< for what has last kept a client from connecting
  clock::time_point remedy_ends_{};
};

}  // namespace flow::kafka
