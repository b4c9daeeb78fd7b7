# A lane forgets to count its commits.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(transaction.cpp [[    each.of->sequence = each.as.sequence;]] [[]])
write_mutant()
