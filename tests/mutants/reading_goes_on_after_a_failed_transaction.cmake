# After a failed transaction reading goes on where it is, instead of where the last commit was.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(transaction.cpp [[  for (auto* each : lanes_) each->taken = false;
  outbox_.drop();]] [[  outbox_.drop();]])
write_mutant()
