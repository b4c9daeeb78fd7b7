# What a target which cannot be asked has not read is deleted.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(purging.cpp [[      if (!by) co_return tl::unexpected{by.error()};
      positions]] [[      if (!by) continue;
      positions]])
write_mutant()
