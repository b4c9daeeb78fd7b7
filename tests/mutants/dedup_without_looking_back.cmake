# A lane goes on although what its dedups have to know is not there.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(memories.cpp [[  return what.covered.contain(who.look_back_to, who.next);
}]] [[  return true;
}]])
write_mutant()
