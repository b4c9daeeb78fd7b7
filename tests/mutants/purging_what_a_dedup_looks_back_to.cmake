# What a dedup may have to read again is deleted.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(purging.cpp [[looks_back ? std::min(known->second.next, known->second.look_back_to) : known->second.next]] [[looks_back ? known->second.next : known->second.next]])
write_mutant()
