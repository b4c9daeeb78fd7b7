# Who is called is not taken off the list before.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(keeping.cpp [[  who.kept->keep();
  who.moved]] [[  who.kept->forget();
  who.moved]])
write_mutant()
