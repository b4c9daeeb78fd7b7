# Everything that was taken counts as done.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(courier.cpp [[  return known == ways_.end() || known->second.entries.empty() ? nullptr : &known->second.entries.front().at;]] [[  return known == ways_.end() || known->second.entries.empty() ? nullptr : &known->second.entries.back().at;]])
write_mutant()
