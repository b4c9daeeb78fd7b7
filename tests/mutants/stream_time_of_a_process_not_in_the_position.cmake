# After a takeover the stream of a process has no time yet.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(keeping.cpp [[of.set(at.process->clock);]] [[return {};]])
write_mutant()
