# What a failed transaction had yet to send goes into the next one.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(transaction.cpp [[  outbox_.drop();
  if (courier_) courier_->abandon();]] [[  if (courier_) courier_->abandon();]])
write_mutant()
