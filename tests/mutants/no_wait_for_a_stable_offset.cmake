# A takeover asks for the group's offset without waiting for the transaction that holds a newer one: its records may
# still be on their way, and be committed later.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(takeover.cpp [[
      at_.cluster.group_offsets(at_.names.group(), where, isolation::read_committed,]] [[
      at_.cluster.group_offsets(at_.names.group(), where, isolation::read_uncommitted,]])
write_mutant()
