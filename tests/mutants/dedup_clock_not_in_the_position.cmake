# The time of a source partition begins anew with each takeover.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(places.cpp [[fresh->now.push_back(there == known->second.dedups.end() ? stream_clock{} : there->second.clock);]] [[fresh->now.push_back(stream_clock{});]])
write_mutant()
