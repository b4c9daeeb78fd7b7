# Only half of the window is read again.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(takeover.cpp [[(clock - window) / step * step]] [[(clock - window / 2) / step * step]])
write_mutant()
