# What could not be finished while lanes are given back is left open, and goes on.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(target.cpp [[    each->drop();
    std::erase_if(lanes_, [&](const auto& lane) { return lane.second->to == each.get(); });]] [[    std::erase_if(lanes_, [&](const auto& lane) { return lane.second->to == each.get(); });]])
write_mutant()
