# A record is judged at a time that it has moved itself, when it is read again.
include(${CMAKE_CURRENT_LIST_DIR}/plant.cmake)
replace(intake.cpp [[.seen = memories_.used() && !letter_ ? memories_.of(*at.from, at.now) : nullptr,]] [[.seen = memories_.used() ? (at.now.empty() ? void() : at.now[0].see(record.timestamp, memories_.specs()[0].window), memories_.of(*at.from, at.now)) : nullptr,]])
write_mutant()
