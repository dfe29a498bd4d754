# Install rules, the CMake package (hakmem::hakmem, hakmem::static), hakmem.pc and the Debian package.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/hakmem)

install(TARGETS ${HAK_INSTALL_TARGETS} EXPORT hakmem-targets
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES include/hakmem/hakmem.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hakmem)
install(EXPORT hakmem-targets NAMESPACE hakmem:: DESTINATION ${package_dir})
configure_package_config_file(cmake/hakmem-config.cmake.in ${CMAKE_BINARY_DIR}/hakmem-config.cmake
    INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/hakmem-config-version.cmake COMPATIBILITY SameMajorVersion)
install(FILES ${CMAKE_BINARY_DIR}/hakmem-config.cmake ${CMAKE_BINARY_DIR}/hakmem-config-version.cmake
    DESTINATION ${package_dir})
file(RELATIVE_PATH pc_to_prefix /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p) # the prefix may be chosen, or moved, at install
configure_file(cmake/hakmem.pc.in ${CMAKE_BINARY_DIR}/hakmem.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/hakmem.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

file(GLOB manuals CONFIGURE_DEPENDS docs/man/*.[1-8])
foreach(manual IN LISTS manuals)
    string(REGEX MATCH "[1-8]$" section ${manual})
    install(FILES ${manual} DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section})
endforeach()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME hakmem)
set(CPACK_PACKAGE_VENDOR "hakmem")
set(CPACK_PACKAGE_CONTACT "The hakmem authors <hakmem@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "libhakmem.so serves malloc and its family for any program, by LD_PRELOAD or by linking;
libhakmem.a does so for static programs. With headers, CMake and pkg-config files, and the command line hakmem.")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
include(CPack)
