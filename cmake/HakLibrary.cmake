# The libraries, from every src/<layer>/*.c. Targets:
#   hakmem           libhakmem.so -> .so.1 -> .so.1.0.0, symbols by src/api/hakmem.map   (alias hakmem::hakmem)
#   hakmem_static    libhakmem.a                                                         (alias hakmem::static)
#   hak_core_fault   for unit tests: libc's names prefixed (HAK_PREFIX), os_fault.c in place of os_linux.c
#   hak_core_prefix  for tests beside another malloc (sanitizers): libc's names prefixed, the real os_linux.c
file(GLOB HAK_SOURCES CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*/*.c)
if(NOT HAK_MUSL) # one C++ source, without which operator new(nothrow) asks no new handler
    enable_language(CXX)
    list(APPEND HAK_SOURCES ${PROJECT_SOURCE_DIR}/src/api/cxx_nothrow.cc)
    set_source_files_properties(${PROJECT_SOURCE_DIR}/src/api/cxx.c PROPERTIES COMPILE_DEFINITIONS HAK_CXX=1)
endif()
set(HAK_SHARED_ONLY
    ${PROJECT_SOURCE_DIR}/src/api/dlopen.c ${PROJECT_SOURCE_DIR}/src/api/fork.c ${PROJECT_SOURCE_DIR}/src/os/libc_late.c)
set(HAK_STATIC_ONLY ${PROJECT_SOURCE_DIR}/src/os/libc_linked.c)
list(REMOVE_ITEM HAK_SOURCES ${HAK_SHARED_ONLY} ${HAK_STATIC_ONLY})
set(HAK_OS_FAULT ${PROJECT_SOURCE_DIR}/src/os/os_fault.c)
list(REMOVE_ITEM HAK_SOURCES ${HAK_OS_FAULT})
foreach(file cold/steal.c cold/takeover.c cold/visit.c cold/worker.c cold/emergency.c) # what single threads need not, and large zeroed data, last: what the other files have shares the page that start-up touches anyway
    list(REMOVE_ITEM HAK_SOURCES ${PROJECT_SOURCE_DIR}/src/${file})
    list(APPEND HAK_SOURCES ${PROJECT_SOURCE_DIR}/src/${file})
endforeach()
set(HAK_SOURCES_FAULT ${HAK_SOURCES})
list(REMOVE_ITEM HAK_SOURCES_FAULT ${PROJECT_SOURCE_DIR}/src/os/os_linux.c)
if(EXISTS ${HAK_OS_FAULT})
    list(APPEND HAK_SOURCES_FAULT ${HAK_OS_FAULT})
endif()
set(HAK_MAP ${PROJECT_SOURCE_DIR}/src/api/hakmem.map)

include(CheckLinkerFlag) # gold knows no INSERT: there the data lie in its own order
set(HAK_DATA_ORDER -Wl,-T,${PROJECT_SOURCE_DIR}/cmake/hakmem.ld)
check_linker_flag(C ${HAK_DATA_ORDER} HAK_LINKER_INSERTS)
if(NOT HAK_LINKER_INSERTS)
    set(HAK_DATA_ORDER)
endif()

if(NOT HAK_SANITIZE)
    # One set of objects for both libraries. Initial-exec: the hot path reads its thread's cache in one instruction, and
    # the library takes only a few hundred bytes of static TLS.
    add_library(hak_objects OBJECT ${HAK_SOURCES})
    target_link_libraries(hak_objects PRIVATE hak_flags hak_warnings)
    target_compile_options(hak_objects PRIVATE -ftls-model=initial-exec -ffunction-sections -fdata-sections)
    set_target_properties(hak_objects PROPERTIES POSITION_INDEPENDENT_CODE ON)

    add_library(hakmem_static STATIC $<TARGET_OBJECTS:hak_objects> ${HAK_STATIC_ONLY})
    target_link_libraries(hakmem_static PRIVATE $<BUILD_INTERFACE:hak_flags> $<BUILD_INTERFACE:hak_warnings>)
    add_library(hakmem::static ALIAS hakmem_static)
    set_target_properties(hakmem_static PROPERTIES OUTPUT_NAME hakmem EXPORT_NAME static)
    set(HAK_INSTALL_TARGETS hakmem_static)
    if(HAK_SHARED)
        add_library(hakmem SHARED $<TARGET_OBJECTS:hak_objects> ${HAK_SHARED_ONLY})
        target_link_libraries(hakmem PRIVATE $<BUILD_INTERFACE:hak_flags> $<BUILD_INTERFACE:hak_warnings>)
        add_library(hakmem::hakmem ALIAS hakmem)
        set_target_properties(hakmem PROPERTIES
            VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINKER_LANGUAGE C LINK_DEPENDS "${HAK_MAP};${PROJECT_SOURCE_DIR}/cmake/hakmem.ld")
        # now: no lazy binding inside malloc on a small stack. nodelete: blocks outlive a dlclose(). gc: what only tests call, the verifier above all,
        # would be mapped into every process with its neighbours. nostartfiles: no
        # constructor of ours needs the compiler's, whose own is a page fault and four symbols to look up.
        target_link_options(hakmem PRIVATE
            -Wl,--version-script=${HAK_MAP} -Wl,-z,now -Wl,-z,relro -Wl,-z,nodelete -Wl,-z,defs
            -nostartfiles -Wl,-Bsymbolic-functions ${HAK_DATA_ORDER} -Wl,--gc-sections -Wl,--as-needed -Wl,--build-id)
        list(APPEND HAK_INSTALL_TARGETS hakmem)
    endif()
    foreach(t IN LISTS HAK_INSTALL_TARGETS)
        target_link_libraries(${t} PUBLIC Threads::Threads ${CMAKE_DL_LIBS})
        target_include_directories(${t} PUBLIC
            $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
    endforeach()
endif()

foreach(variant fault prefix)
    set(sources ${HAK_SOURCES} ${HAK_STATIC_ONLY})
    if(variant STREQUAL "fault")
        set(sources ${HAK_SOURCES_FAULT})
    endif()
    add_library(hak_core_${variant} OBJECT EXCLUDE_FROM_ALL ${sources})
    target_link_libraries(hak_core_${variant} PUBLIC hak_flags hak_sanitize PRIVATE hak_warnings)
    target_compile_definitions(hak_core_${variant} PUBLIC HAK_PREFIX=1)
endforeach()
