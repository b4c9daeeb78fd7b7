# What was called by the clock on the wall is written in a transaction that holds no position, and that nobody fences.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(transaction.cpp [[  if (what.moved_without_reading) return true;]] [[]])
write_mutant()
