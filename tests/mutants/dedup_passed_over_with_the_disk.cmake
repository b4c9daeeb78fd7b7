# A record of which the disk cannot say whether it is a repetition goes the way of those that fail.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(graph.cpp [[    return wait(e);]] [[    text = e.what();]])
write_mutant()
