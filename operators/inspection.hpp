#pragma once

#include <string>
#include <vector>

#include <flow/topology.hpp>

#include "graph.hpp"

namespace flow {

/// Everything that is wrong with a plan. `stack_end` is the address below which no local variable is alive any more.
std::vector<flaw> inspect(const drawn_plan& what, const surroundings& where, const void* stack_end);

}  // namespace flow
