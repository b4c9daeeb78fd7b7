# What a target which cannot be asked has not read is deleted.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(purging.cpp [[      if (!by) co_return tl::unexpected{by.error()};
      for]] [[      if (!by) continue;
      for]])
write_mutant()
