#pragma once

#include <string>
#include <vector>

#include <flow/topology.hpp>

#include "graph.hpp"

namespace flow {

/// Everything that is wrong with a plan.
std::vector<flaw> inspect(const drawn_plan& what, const surroundings& where);

}  // namespace flow
