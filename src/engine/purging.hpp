#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "lane_positions.hpp"
#include "loop.hpp"
#include "position.hpp"
#include "reading.hpp"

#include <flow/plan.hpp>
#include <flow/ports.hpp>

namespace flow::engine {

/// Deletes from the topics that an application writes for itself what nobody will read any more: what lies below the
/// positions of all lanes that read it, wherever they write to and whether or not they can be reached.
class purging {
 public:
  struct target {
    lanes_elsewhere lanes;
    std::uint64_t sinks = 0;  ///< bit i: sink i of the plan writes there
  };
  struct surroundings {
    engine::loop& loop;
    const engine::options& options;
    const plan& topology;
    engine::reading& reading;
    log_sink log;
    std::vector<target> all;
    std::function<bool()> in_charge;   ///< one worker does it, and which one does not matter
  };
  explicit purging(surroundings with) : with_{std::move(with)} {}

  /// For as long as the worker runs.
  task<void> run();

 private:
  std::map<std::int32_t, std::vector<const source*>> sources() const;
  task<result<void>> purge();
  /// Processes may have different targets: a failure if there is one that this one cannot ask.
  task<result<void>> know_all_readers();
  /// 0: the lane has not begun there.
  std::int64_t needed_from(const source& what, const position& by) const;

  surroundings with_;
};

}  // namespace flow::engine
