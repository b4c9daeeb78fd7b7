# A process keeps what a record that was passed over has changed.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(intake.cpp [[    if (lacks) kept->state.forget();]] [[    if (lacks) kept->state.keep();]])
write_mutant()
