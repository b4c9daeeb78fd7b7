# A page counts although something else stood before the dedup that has made it.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(memories.cpp [[ ||
                             part->second.way != ways_[i]))]] [[))]])
write_mutant()
