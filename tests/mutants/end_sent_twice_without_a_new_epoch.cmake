# An EndTxn that was sent twice is forgotten about: the first one arrives late, and ends the next transaction half way.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(transaction.cpp [[
  if (is_repeated(ended->end_requests)) {]] [[
  if (false) {]])
write_mutant()
