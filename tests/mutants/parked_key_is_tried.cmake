# A record whose key is parked is tried like any other.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(intake.cpp [[.parked = parks ? &at.parked : nullptr,]] [[.parked = nullptr,]])
write_mutant()
