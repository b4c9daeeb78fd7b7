# Whoever owns a lane delivers under the first right that was ever given.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(courier.cpp [=[.fencing_token = tokens_[from.task]}]=] [=[.fencing_token = tokens_[from.task] > 0 ? 1 : 0}]=])
write_mutant()
