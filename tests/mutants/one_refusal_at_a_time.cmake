# What is known of a record that the cluster refuses is forgotten when it refuses another.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(transaction.cpp [[    refused_.erase(others.begin(), others.end());]] [[    refused_.clear();]])
write_mutant()
