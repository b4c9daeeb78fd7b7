# The home lane passes over a record that has become a letter.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(intake.cpp [[  if (!(to.sinks() >> what.sink & 1)) return true;]] [[  if (!(to.sinks() >> what.sink & 1) || sinks_[what.sink].takes_letters) return true;]])
write_mutant()
