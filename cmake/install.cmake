# The library as its users have it: one archive of all rooms, and the public headers.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

get_property(rooms GLOBAL PROPERTY FLOW_ROOMS)
add_library(flow STATIC)
foreach(room IN LISTS rooms)
  target_sources(flow PRIVATE $<TARGET_OBJECTS:${room}>)
endforeach()
set_target_properties(flow PROPERTIES LINKER_LANGUAGE CXX)
target_include_directories(flow PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                           $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/operators>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(flow PUBLIC cxx_std_20)
# A program may hand in its own logger, so it has to see spdlog as the library does.
target_link_libraries(flow PUBLIC spdlog::spdlog Threads::Threads
                      PRIVATE PkgConfig::RDKAFKA PkgConfig::SIMDJSON PkgConfig::RE2 PkgConfig::XXHASH PkgConfig::CURL
                              RocksDB::rocksdb-shared yaml-cpp)

set(config_dir ${CMAKE_INSTALL_LIBDIR}/cmake/flow)
configure_package_config_file(cmake/flowConfig.cmake.in ${CMAKE_BINARY_DIR}/flowConfig.cmake
                              INSTALL_DESTINATION ${config_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/flowConfigVersion.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH pkgconfig_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/flow.pc.in ${CMAKE_BINARY_DIR}/flow.pc @ONLY)

install(TARGETS flow EXPORT flow)
install(DIRECTORY include/flow operators/flow DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN *.hpp)
install(EXPORT flow DESTINATION ${config_dir} FILE flowTargets.cmake NAMESPACE flow::)
install(FILES ${CMAKE_BINARY_DIR}/flowConfig.cmake ${CMAKE_BINARY_DIR}/flowConfigVersion.cmake DESTINATION ${config_dir})
install(FILES ${CMAKE_BINARY_DIR}/flow.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
