# Who leaves a common reading takes along where it was when it came.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(intake.cpp [[  who.next = next_of(who);
  who.last]] [[  who.last]])
write_mutant()
