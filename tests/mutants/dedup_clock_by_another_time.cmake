# A record whose source gives it a time of its own moves the dedups' clocks by its timestamp.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(intake.cpp [[at.now[i].see(times_[i], specs[i].window);]] [[at.now[i].see(past->timestamp, specs[i].window);]])
write_mutant()
