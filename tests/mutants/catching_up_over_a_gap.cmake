# A reader that is behind joins the common one although records lie between the two.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(intake.cpp [[other->next < at.next || other->next > with ||]] [[other->next < at.next || with < 0 ||]])
write_mutant()
