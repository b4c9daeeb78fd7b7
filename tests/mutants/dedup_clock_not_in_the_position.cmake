# The time of a source partition begins anew with each takeover.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(takeover.cpp [[fresh->now.push_back(clock == known->second.clocks.end() ? stream_clock{} : clock->second);]] [[fresh->now.push_back(clock == known->second.clocks.end() ? stream_clock{} : stream_clock{});]])
write_mutant()
