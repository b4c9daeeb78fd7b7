# A topic that takes less at once than the producer was opened for is looked through for a record that is at fault.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(transaction.cpp [[
      if (outputs_.routes().largest_batch() < largest_batch_) {]] [[
      if (false) {]])
write_mutant()
