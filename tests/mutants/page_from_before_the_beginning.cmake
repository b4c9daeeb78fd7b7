# Who learns a page knows what came before it has begun.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(memories.cpp [[  first = std::max(first, what.from);]] [[  first = what.from;]])
write_mutant()
