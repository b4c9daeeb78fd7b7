# A room of the house is an object library that sees the rooms named in USES, and nothing above itself.
# Debian keeps every third-party header in one folder that no compiler can be told to forget. So each library gets a
# fence: a folder of headers of the same names that say where the library belongs. A room has the fence of every
# library that it does not name in THIRD_PARTY in front of it.

set(FLOW_FENCED librdkafka rocksdb yaml-cpp CLI simdjson re2 spdlog xxhash)
set(FLOW_FENCE_librdkafka_room src/kafka)
set(FLOW_FENCE_rocksdb_room state)
set(FLOW_FENCE_yaml-cpp_room src/config)
set(FLOW_FENCE_CLI_room src/config)
set(FLOW_FENCE_simdjson_room operators)
set(FLOW_FENCE_re2_room operators)
set(FLOW_FENCE_xxhash_room "operators/ and src/engine")
set(FLOW_FENCE_spdlog_room src)

foreach(library IN LISTS FLOW_FENCED)
  set(room ${FLOW_FENCE_${library}_room})
  file(GLOB_RECURSE headers RELATIVE /usr/include /usr/include/${library}/*.h /usr/include/${library}/*.hpp
       /usr/include/${library}.h /usr/include/${library}.hpp)
  # <spdlog/fwd.h> is what a public signature may name.
  list(REMOVE_ITEM headers spdlog/fwd.h)
  foreach(header IN LISTS headers)
    set(text "#error \"<${header}> belongs to ${room}/; no other room includes it\"\n")
    set(file ${CMAKE_BINARY_DIR}/fences/${library}/${header})
    if(NOT EXISTS ${file})
      file(WRITE ${file} ${text})
    endif()
  endforeach()
endforeach()

set(FLOW_LINK_librdkafka PkgConfig::RDKAFKA)
set(FLOW_LINK_rocksdb RocksDB::rocksdb-shared)
set(FLOW_LINK_yaml-cpp yaml-cpp)
set(FLOW_LINK_CLI CLI11::CLI11)
set(FLOW_LINK_simdjson PkgConfig::SIMDJSON)
set(FLOW_LINK_re2 PkgConfig::RE2)
set(FLOW_LINK_xxhash PkgConfig::XXHASH)
set(FLOW_LINK_spdlog spdlog::spdlog)

function(flow_fence target)
  cmake_parse_arguments(ARG "" "" "THIRD_PARTY" ${ARGN})
  foreach(library IN LISTS FLOW_FENCED)
    if(library IN_LIST ARG_THIRD_PARTY)
      target_link_libraries(${target} PRIVATE ${FLOW_LINK_${library}})
    else()
      target_include_directories(${target} BEFORE PRIVATE ${CMAKE_BINARY_DIR}/fences/${library})
    endif()
  endforeach()
endfunction()

# flow_room(NAME SOURCES ... [USES room ...] [THIRD_PARTY library ...] [INCLUDE folder ...])
# INCLUDE are the folders that rooms which use this one may include from.
function(flow_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES;USES;THIRD_PARTY;INCLUDE" ${ARGN})
  add_library(${name} OBJECT ${ARG_SOURCES})
  target_link_libraries(${name} PUBLIC flow_nouns ${ARG_USES} PRIVATE flow_warnings)
  foreach(folder IN LISTS ARG_INCLUDE)
    target_include_directories(${name} INTERFACE $<BUILD_INTERFACE:${CMAKE_CURRENT_SOURCE_DIR}/${folder}>)
  endforeach()
  flow_fence(${name} THIRD_PARTY ${ARG_THIRD_PARTY})
  set_property(GLOBAL APPEND PROPERTY FLOW_ROOMS ${name})
endfunction()
