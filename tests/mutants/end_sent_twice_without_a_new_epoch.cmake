# An EndTxn that was sent twice is forgotten about: the first one arrives late, and ends the next transaction half way.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(transaction.cpp [[
  if (ended->end_requests > 1) {]] [[
  if (ended->end_requests > 1000) {]])
write_mutant()
