# A source partition is read on while what it has parked is still on its way.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(writing.cpp [[if (course->waits_for_reading(at_.loop.now())) at_.reading.board(*course);]] [[if (course->waits_for_reading(at_.loop.now()) || (course->letters && !course->on)) at_.reading.board(*course);]])
write_mutant()
