# A takeover believes the position that the group's offset names, which is the last one that was known when the offset
# was sent, instead of the highest sequence behind it.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(takeover.cpp [[
        if (found->sequence <= each.sequence) continue;]] [[
        if (each.sequence > 0) continue;]])
write_mutant()
