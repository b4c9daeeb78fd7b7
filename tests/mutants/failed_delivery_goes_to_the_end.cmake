# What has to be delivered again comes behind what is of its key and has come since.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(courier.cpp [[at->waiting.insert(at->waiting.begin(), again.begin(), again.end());]] [[at->waiting.insert(at->waiting.end(), again.begin(), again.end());]])
write_mutant()
