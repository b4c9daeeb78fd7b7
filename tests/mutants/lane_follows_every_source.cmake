# A target follows sources from which nothing leads to it.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(routes.cpp [[if ((sinks >> i & 1) != 0 && lead_to(all[i], entries)) return true;]] [[if ((sinks >> i & 1) != 0 && !entries.empty()) return true;]])
write_mutant()
