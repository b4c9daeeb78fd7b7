#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "visit.hpp"

#include <flow/dead_letters.hpp>
#include <flow/status.hpp>

namespace flow {

/// Runs one replay to its end.
class replaying {
 public:
  replaying(visit& by, std::shared_ptr<const plan> what, pass which, std::map<topic_partition, inquiry::range> there,
            app_options how);

  /// Adds what it has come to. `refused` if a partition cannot be taken to its end, `retriable` if it was told to stop.
  result<void> run(std::stop_token stop, letters_replayed& into);

 private:
  bool is_finished(const app_status* now);
  void count(const app_status& now, letters_replayed& into) const;

  visit& by_;
  std::shared_ptr<const plan> what_;
  pass which_;
  std::map<topic_partition, inquiry::range> there_;
  std::vector<topic_partition> partitions_;
  app_options how_;
};

}  // namespace flow
