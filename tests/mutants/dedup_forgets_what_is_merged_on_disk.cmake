# What several runs held is merged into one, whose filter knows only what the first of them held.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(spilled_occurrences.cpp [[    if (auto added = to_.add(*lowest->front()); !added) return tl::unexpected{added.error()};]] [[    if (lowest == &readers_.front())
      if (auto added = to_.add(*lowest->front()); !added) return tl::unexpected{added.error()};]])
write_mutant()
