# What cannot be judged while the source is read again ends that reading, and nobody begins another.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(reading.cpp [[    why = failure{failure_kind::retriable, what.node + ": " + what.reason, {}};]] [[    (void)what;]])
write_mutant()
