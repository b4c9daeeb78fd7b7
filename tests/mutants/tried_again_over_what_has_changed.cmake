# A record that is tried again finds what its process had changed for it.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(intake.cpp [[  if (who.kept) who.kept->state.forget();]] [[  if (who.kept) who.kept->state.keep();]])
write_mutant()
