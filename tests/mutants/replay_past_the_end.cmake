# A replay reads what has come since it began.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(intake.cpp [[  if (at && record.offset >= at->from->until)]] [[  if (false)]])
write_mutant()
