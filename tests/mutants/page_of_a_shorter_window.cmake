# A page counts that was made with a shorter window.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(memories.cpp [[part->second.window < specs_[i].window.count()]] [[part->second.window < 0]])
write_mutant()
