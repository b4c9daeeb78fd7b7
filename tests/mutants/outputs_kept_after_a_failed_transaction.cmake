# What a failed transaction had yet to send goes into the next one.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(transaction.cpp [[  outbox_.drop();
  serving_ = false;]] [[  serving_ = false;]])
write_mutant()
