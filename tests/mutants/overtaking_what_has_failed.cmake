# What is of the same key as one that has failed counts as it was reported.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(courier.cpp [[(!again.empty() || !settle(*one, *how, at))]] [[!settle(*one, *how, at)]])
write_mutant()
