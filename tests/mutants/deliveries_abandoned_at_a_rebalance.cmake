# What was begun is not finished before lanes are given back.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(delivering.cpp [[  while (serving_ && courier_->under_way() > 0 && at_.loop.now() < until()) co_await]] [[  while (until() == time_point{}) co_await]])
write_mutant()
