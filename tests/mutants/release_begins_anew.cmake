# How far a release has come is not in the position.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(parking.cpp [[  now.settled = next_of(who.letters->at);]] [[]])
write_mutant()
