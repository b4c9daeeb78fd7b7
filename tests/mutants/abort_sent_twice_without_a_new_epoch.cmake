# An EndTxn of an abort that was sent twice is forgotten about: the first one arrives late, and aborts the next transaction
# half way.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(transaction.cpp [[
        if (!aborted || is_repeated(*aborted)) producer_ready_ = false;]] [[
        if (!aborted) producer_ready_ = false;]])
write_mutant()
