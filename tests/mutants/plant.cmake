# cmake -DFOLDER=src/engine -DFILE=transaction.cpp -DOUT=where.cpp -P NAME.cmake
# Writes a copy of one source with the mistake in it. A text that is not there exactly once is an error: the
# source has changed, and the mistake has to be planted anew.

file(READ ${FOLDER}/${FILE} text)

macro(replace file old new)
  if("${file}" STREQUAL FILE)
    string(FIND "${text}" "${old}" first)
    string(FIND "${text}" "${old}" last REVERSE)
    if(first EQUAL -1 OR NOT first EQUAL last)
      message(FATAL_ERROR "${CMAKE_SCRIPT_MODE_FILE}: this stands not exactly once in ${FILE}:\n${old}")
    endif()
    string(REPLACE "${old}" "${new}" text "${text}")
  endif()
endmacro()

function(write_mutant)
  file(WRITE ${OUT} "${text}")
endfunction()
