# What a process has forgotten is there again after a takeover.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(keeping.cpp [[  kept_of_key kept;
  if (record.value) {]] [[  kept_of_key kept;
  if (!record.value) return {};
  if (record.value) {]])
write_mutant()
