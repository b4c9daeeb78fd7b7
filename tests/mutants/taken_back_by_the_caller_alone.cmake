# A record that brings calls is taken back by the process that makes them, and stays in others.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(intake.cpp [[  for (auto* each : at.riders)
    if (each->kept) each->kept->state.forget();
  const bool all]] [[  calling.kept->state.forget();
  const bool all]])
write_mutant()
