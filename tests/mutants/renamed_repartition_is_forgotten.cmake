# What a repartition of another name has left on its way is passed over in silence.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(takeover.cpp [[  if (left.empty()) co_return result<void>{};]] [[  co_return result<void>{};]])
write_mutant()
