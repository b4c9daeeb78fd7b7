# Pages count whose ids are hashed by another key.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(shared_pages.cpp [[if (!page || page->key != key_ || !by.wants(*page)) continue;]] [[if (!page || !by.wants(*page)) continue;]])
write_mutant()
