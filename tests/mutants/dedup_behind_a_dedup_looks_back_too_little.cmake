# What comes through a dedup by mistake, while it is read again, counts at the next.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(memories.cpp [[clock.now() - spec.reach.count();]] [[clock.now() - spec.window.count();]])
write_mutant()
