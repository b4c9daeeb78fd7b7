# A process keeps what a record that was passed over has changed.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(intake.cpp [[    if (!is_whole) kept->state.pass_over();]] [[    if (!is_whole) kept->state.keep();]])
write_mutant()
