# Pages are trusted without asking whether the source still holds what their worker has read.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(shared_pages.cpp [[  co_return read && !read->records.empty() && fingerprint_of(read->records.front()) == what.last;]] [[  co_return true;]])
write_mutant()
