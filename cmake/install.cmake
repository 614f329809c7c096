include(CMakePackageConfigHelpers)

set(butterdb_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/butterdb")

foreach(component IN ITEMS core net)
    install(
        TARGETS butterdb_${component}
        EXPORT butterdb-${component}
        ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
    install(
        EXPORT butterdb-${component}
        NAMESPACE butterdb::
        DESTINATION "${butterdb_package_dir}")
endforeach()
install(
    DIRECTORY "${PROJECT_SOURCE_DIR}/include/butterdb" "${PROJECT_BINARY_DIR}/include/butterdb"
    DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}"
    FILES_MATCHING
    PATTERN "*.hpp")
configure_package_config_file(
    "${PROJECT_SOURCE_DIR}/cmake/butterdbConfig.cmake.in" butterdbConfig.cmake
    INSTALL_DESTINATION "${butterdb_package_dir}")
write_basic_package_version_file(butterdbConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/butterdbConfig.cmake"
              "${PROJECT_BINARY_DIR}/butterdbConfigVersion.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/FindAsio.cmake" DESTINATION "${butterdb_package_dir}")

if(BUTTERDB_BUILD_PROGRAMS)
    install(TARGETS butterdb butterdb_client butterdb_bench
            RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
endif()
