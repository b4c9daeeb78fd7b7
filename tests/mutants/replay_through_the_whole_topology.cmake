# A letter goes through everything that reads its topic.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(graph.cpp [[    way_.closed = true;]] [[    way_.closed = false;]])
write_mutant()
