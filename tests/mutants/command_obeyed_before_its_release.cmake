# A command counts as obeyed although its release has not begun.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(releasing.cpp [[        at_.reading.leave(*course);
        course->recalled = true;]] [[        at_.reading.leave(*course);
        course->parked.commands = behind;
        course->dirty = true;
        course->recalled = true;]])
write_mutant()
