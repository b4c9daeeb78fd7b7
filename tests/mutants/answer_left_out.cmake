# The position passes a question, and its answer is not written.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(delivering.cpp [[    outbox_.append(*where[i], what, {&from, offset}, by);]] [[    if (i > 0) outbox_.append(*where[i], what, {&from, offset}, by);]])
write_mutant()
