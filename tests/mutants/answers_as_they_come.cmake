# Several answers to what one record was made into have the order in which they came.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(courier.cpp [[std::upper_bound(of.out.begin(), of.out.end(), what.number, before)]] [[(static_cast<void>(before), of.out.end())]])
write_mutant()
