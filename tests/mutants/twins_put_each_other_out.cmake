# Who is told that another process has its place takes it back, whoever that is.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(target.cpp [[
    if (members && std::none_of(members->begin(), members->end(), is_ours)) co_return true;]] [[
    if (members && std::any_of(members->begin(), members->end(), is_ours)) co_return true;]])
write_mutant()
