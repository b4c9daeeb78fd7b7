# A record that brings calls is processed before them.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(graph.cpp [[if (!kept.is_due_in_stream()) return false;]] [[return false;]])
write_mutant()
