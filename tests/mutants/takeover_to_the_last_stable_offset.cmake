# A takeover reads the lanes topic only to its last stable offset: a position whose marker is late is missed.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(takeover.cpp [[
    // on this topic are late, and an older open transaction may hold the last stable offset back.
    auto behind = co_await answer<std::vector<std::int64_t>>(
        at_.loop, [&](auto done) { at_.cluster.find_offsets(where, {kind::high_watermark}, std::move(done)); });]] [[
    // on this topic are late, and an older open transaction may hold the last stable offset back.
    auto behind = co_await answer<std::vector<std::int64_t>>(
        at_.loop, [&](auto done) { at_.cluster.find_offsets(where, {kind::last_stable}, std::move(done)); });]])
write_mutant()
