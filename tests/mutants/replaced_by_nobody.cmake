# Who is told that its place is taken ends, although nobody lives there.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(target.cpp [[
      believed = at_.loop.now() + at_.options.max_poll_interval + 2 * at_.options.session;]] [[
      believed = at_.loop.now();]])
write_mutant()
