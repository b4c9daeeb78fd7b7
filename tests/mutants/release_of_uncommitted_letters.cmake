# A release does not wait until the letters before it are committed.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(releasing.cpp [[if (course->recalled && !moved(*course)) return course.get();]] [[if (course->recalled) return course.get();]])
write_mutant()
