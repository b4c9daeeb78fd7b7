#pragma once

#include <vector>

#include <flow/wiring.hpp>

namespace flow {

/// The calls that this thread is in, innermost first.
std::vector<wiring::frame> calls_under_way();

/// The calls whose local variables `words` point at; one that is over already has no function.
std::vector<wiring::frame> frames_behind(const std::vector<std::uintptr_t>& words);

}  // namespace flow
