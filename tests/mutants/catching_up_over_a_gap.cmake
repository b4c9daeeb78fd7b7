# A reader that is behind joins the common one although records lie between the two.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(intake.cpp [[if (!other || other->next < at.next || other->next > with) return false;]] [[if (!other || other->next < at.next || with < 0) return false;]])
write_mutant()
