#pragma once

#include <flow/topology.hpp>

#include "settings.hpp"

namespace replicator {

/// Cross-region sync: the records of the home cluster's topics, or those of them that are business events of interest,
/// on every target, exactly once and in order.
flow::topology sync(const settings& s);

}  // namespace replicator
