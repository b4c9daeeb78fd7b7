# A record that is to be tried again is left out instead.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(intake.cpp [[    leave(*rider);
    rider->of->to->hold(*rider, why);]] [[    leave(*rider);
    ++rider->next;
    rider->of->to->hold(*rider, why);]])
write_mutant()
