# What has not been answered in time counts as answered.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(courier.cpp [[receipt::retriable(text)), true]] [[receipt::answered(text)), true]])
write_mutant()
