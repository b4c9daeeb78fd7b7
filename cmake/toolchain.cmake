set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

set(FLOW_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")

find_program(FLOW_CCACHE ccache)
if(FLOW_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${FLOW_CCACHE})
endif()

# What every target of this project is compiled with; never exported to whoever uses the library.
add_library(flow_warnings INTERFACE)
target_compile_options(flow_warnings INTERFACE -Wall -Wextra -Wpedantic -Werror -Wnon-virtual-dtor
                       -Woverloaded-virtual -Wold-style-cast -Wcast-align -Wunused)
# Once it optimises, GCC 12 takes the empty half of a tl::expected for an uninitialised value.
target_compile_options(flow_warnings INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
if(FLOW_SANITIZE)
  target_compile_options(flow_warnings INTERFACE -fsanitize=${FLOW_SANITIZE} -fno-omit-frame-pointer
                         -fno-sanitize-recover=all)
  target_link_options(flow_warnings INTERFACE -fsanitize=${FLOW_SANITIZE})
endif()
if(FLOW_SANITIZE MATCHES thread)
  set(is_program $<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>)
  target_sources(flow_warnings INTERFACE $<${is_program}:${CMAKE_CURRENT_LIST_DIR}/intercepted_threads.cpp>)
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka>=2.0.2)
pkg_check_modules(SIMDJSON REQUIRED IMPORTED_TARGET simdjson)
pkg_check_modules(RE2 REQUIRED IMPORTED_TARGET re2)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
# Older ones let OpenSSL write to closed connections, and the signal that comes of it ends a process.
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl>=7.88)
find_package(RocksDB REQUIRED)
find_package(spdlog REQUIRED)
find_package(range-v3 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
