# The library as its users have it: one archive of all rooms, and the public headers.
get_property(rooms GLOBAL PROPERTY FLOW_ROOMS)
add_library(flow STATIC)
foreach(room IN LISTS rooms)
  target_sources(flow PRIVATE $<TARGET_OBJECTS:${room}>)
endforeach()
set_target_properties(flow PROPERTIES LINKER_LANGUAGE CXX)
target_include_directories(flow PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                           $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/operators> $<INSTALL_INTERFACE:include>)
target_compile_features(flow PUBLIC cxx_std_20)
target_link_libraries(flow PRIVATE PkgConfig::RDKAFKA PkgConfig::SIMDJSON PkgConfig::XXHASH RocksDB::rocksdb-shared
                      spdlog::spdlog yaml-cpp Threads::Threads)
