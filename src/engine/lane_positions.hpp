#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "loop.hpp"
#include "names.hpp"
#include "position.hpp"

#include <flow/ports.hpp>

namespace flow::engine {

/// The position in a record of a lanes topic; `refused` if it is of another flow than `own`.
result<position> own_position(const port::kept_record& record, const topic_partition& where, const std::string& cluster,
                              const provenance& own);

/// From where the newest committed position of a lane is looked for, in what is decided of it: [first, behind). What
/// the group points at may still be undecided, since markers in the lane may be later than its own; what is before is
/// not.
std::int64_t newest_position_from(std::int64_t of_group, std::int64_t first, std::int64_t behind);

/// Lanes of this application on one cluster, whoever has them.
struct lanes_elsewhere {
  port::cluster& at;
  std::string cluster;  ///< its name
  engine::names names;
};

/// How far each of these lanes has come, as a position that it has committed: the newest, or an older one where that is
/// still undecided. nullopt: it has none. `missing`: there is no lanes topic.
task<result<std::vector<std::optional<position>>>> committed_positions(loop& on, lanes_elsewhere of,
                                                                       std::vector<std::int32_t> lanes, provenance own);

}  // namespace flow::engine
