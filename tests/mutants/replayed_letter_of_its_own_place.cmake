# What is refused in a replay is a letter of the place where its letter lay.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(replay.cpp [[    original.offset = first.from.offset;
]] [[
]])
write_mutant()
