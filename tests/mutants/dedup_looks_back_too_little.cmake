# Only half of the window is read again.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(memories.cpp [[ids.first_since(oldest_at(now[i], specs_[i])));]] [[ids.first_since(oldest_at(now[i], specs_[i]) + specs_[i].window.count() / 2));]])
write_mutant()
