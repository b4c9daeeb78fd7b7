# What happened is forgotten when the fastest lane needs it no more.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(memories.cpp [[    what.horizon[i] = std::min(what.horizon[i], oldest_at(now[i], specs_[i]));]] [[    if (const auto at = oldest_at(now[i], specs_[i]); at != beginning_of_time)
      what.horizon[i] = what.horizon[i] == end_of_time ? at : std::max(what.horizon[i], at);]])
write_mutant()
