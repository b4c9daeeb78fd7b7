# The lane that is taken over does not know what it has parked.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(places.cpp [[      fresh->parked = known->second.parked;]] [[      fresh->parked = known->second.parked, fresh->parked.keys = {};]])
write_mutant()
