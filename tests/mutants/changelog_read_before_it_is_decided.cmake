# What a process keeps is read although a transaction of somebody else is open there.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(keeping.cpp [[if ((*decided)[i] < (*behind)[i]) held_up.push_back(lanes[i]);]] [[if ((*decided)[i] > (*behind)[i]) held_up.push_back(lanes[i]);]])
replace(keeping.cpp [[(*first)[i], (*behind)[i])]] [[(*first)[i], (*decided)[i])]])
write_mutant()
