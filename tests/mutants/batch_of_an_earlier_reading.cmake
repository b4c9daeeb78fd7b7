# What was fetched for an earlier reading of a partition is taken for the present one.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(intake.cpp [[  return at && at->since < batches_ ? at : nullptr;]] [[  return at;]])
write_mutant()
