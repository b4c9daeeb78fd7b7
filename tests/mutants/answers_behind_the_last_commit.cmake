# What is answered during the last commit of lanes that are given back goes into the next transaction of others.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(writing.cpp [[if (courier_ && !concluded_)]] [[if (courier_)]])
write_mutant()
