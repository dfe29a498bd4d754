# Tests. Each folder tests/<kind>/ may have its own CMakeLists.txt that calls these; without one, every *.c and *.cc in it
# is registered by the folder's default (tests/CMakeLists.txt).
#
#   hak_add_unit_test(NAME [options])      tests/unit/NAME.c with cmocka and the whole core, os_fault.c as the OS. libc's
#                                          names are prefixed (hakt_malloc...; include "api/prefixed.h"). Every preset.
#   hak_add_prefixed_test(NAME [options])  NAME.c with the prefixed core on the real os_linux.c: what runs under ASan and
#                                          TSan as well. Default label stress. Every preset but musl.
#   hak_add_preload_test(NAME [options])   NAME.c as a plain program under LD_PRELOAD=libhakmem.so. Default label: the
#                                          folder's name. Not in sanitizer presets; in musl it is linked statically.
#   hak_add_static_test(NAME [options])    the same source linked with libhakmem.a (test NAME.static). glibc and musl.
#   hak_add_command_test(NAME COMMAND ... [options])   any command; add PRELOAD to run it under the library.
#
# options, all optional:
#   LABEL word        one of unit conformance misuse stress fuzz golden lab lint real package
#   SOURCES file...   instead of NAME.c or NAME.cc
#   LIBS lib...       further libraries to link
#   FLAGS flag...     further compile options
#   DEFS def...       further compile definitions
#   ARGS arg...       the program's arguments
#   ENV VAR=value...  environment of the program alone (not of env, qemu or python around it)
#   TIMEOUT seconds   default 120
#   SERIAL            never beside another test (timing, memory limits)
#   EXPECT_SIGNAL n   the program must end by this signal (e.g. ABRT), and
#   EXPECT_STDERR re  its stderr must match this Python regex (re.search, multiline); exit status 0 if no EXPECT_SIGNAL
#   EXPECT_EXIT n     the exit status it must have
# Test names are <label>/<name>. An exit status of 77 means skipped; print why.
# Binaries lie in <build>/tests/<label>/, not beside what users want.
#
# For your own add_test: HAK_LIB is the path of libhakmem.so as a generator expression, HAK_PYTHON the interpreter.
# HAK_SANITIZE is "", address or thread; HAK_MUSL is set in the musl preset; CMAKE_CROSSCOMPILING under qemu.
include(CMakeParseArguments)

set(HAK_TEST_OPTIONS SERIAL PRELOAD)
set(HAK_TEST_ONE LABEL TIMEOUT EXPECT_SIGNAL EXPECT_STDERR EXPECT_EXIT)
set(HAK_TEST_MANY SOURCES LIBS FLAGS DEFS ARGS ENV COMMAND)
if(TARGET hakmem)
    set(HAK_LIB $<TARGET_FILE:hakmem>)
endif()

# hak_test_parse(<default label>): reads the calling function's arguments after NAME into T_*. PARSE_ARGV: a macro's own arguments
# would be parsed once more, and a regex would lose its backslashes.
macro(hak_test_parse default_label)
    cmake_parse_arguments(PARSE_ARGV 1 T "${HAK_TEST_OPTIONS}" "${HAK_TEST_ONE}" "${HAK_TEST_MANY}")
    if(T_UNPARSED_ARGUMENTS)
        message(FATAL_ERROR "test ${NAME}: unknown arguments ${T_UNPARSED_ARGUMENTS}")
    endif()
    if(NOT T_LABEL)
        set(T_LABEL ${default_label})
    endif()
endmacro()

# hak_test_program(<target>): the executable of T_SOURCES.
macro(hak_test_program target)
    set(sources ${T_SOURCES})
    if(NOT sources AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${NAME}.c)
        set(sources ${NAME}.c)
    elseif(NOT sources)
        set(sources ${NAME}.cc)
    endif()
    add_executable(${target} ${sources})
    target_link_libraries(${target} PRIVATE ${T_LIBS} hak_warnings Threads::Threads ${CMAKE_DL_LIBS})
    target_compile_options(${target} PRIVATE ${HAK_NO_BUILTIN_MALLOC} ${T_FLAGS})
    target_compile_definitions(${target} PRIVATE "$<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>" ${T_DEFS})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/include ${CMAKE_CURRENT_SOURCE_DIR})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests/${T_LABEL})
endmacro()

# hak_test_add(<test> <preload 0|1> <command...>): registers it with T_*'s environment, expectation and properties.
function(hak_test_add test preload)
    set(variables ${T_ENV})
    if(preload)
        list(APPEND variables LD_PRELOAD=${HAK_LIB})
    endif()
    set(command)
    if(T_EXPECT_SIGNAL OR T_EXPECT_STDERR OR T_EXPECT_EXIT)
        set(command ${HAK_PYTHON} ${PROJECT_SOURCE_DIR}/scripts/expect.py)
        foreach(what SIGNAL STDERR EXIT)
            if(T_EXPECT_${what})
                string(TOLOWER ${what} flag)
                list(APPEND command --${flag} "${T_EXPECT_${what}}")
            endif()
        endforeach()
        list(APPEND command --)
    endif()
    if(CMAKE_CROSSCOMPILING AND CMAKE_CROSSCOMPILING_EMULATOR)
        # qemu-user keeps a flag for each page of a reservation: a terabyte costs it a minute, a gigabyte nothing.
        list(APPEND command ${CMAKE_CROSSCOMPILING_EMULATOR} -E HAKMEM_ARENA_MAX=1g)
        foreach(v IN LISTS variables)
            list(APPEND command -E ${v})
        endforeach()
    elseif(variables)
        list(APPEND command /usr/bin/env ${variables})
    endif()
    add_test(NAME ${test} COMMAND ${command} ${ARGN})
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 120)
    endif()
    if(CMAKE_CROSSCOMPILING OR HAK_SANITIZE)
        math(EXPR T_TIMEOUT "${T_TIMEOUT} * 5")
    endif()
    set_tests_properties(${test} PROPERTIES LABELS ${T_LABEL} TIMEOUT ${T_TIMEOUT} SKIP_RETURN_CODE 77)
    if(HAK_SANITIZE)
        set_tests_properties(${test} PROPERTIES ENVIRONMENT
            "ASAN_OPTIONS=detect_leaks=0:abort_on_error=1;UBSAN_OPTIONS=print_stacktrace=1;TSAN_OPTIONS=halt_on_error=1:suppressions=${PROJECT_SOURCE_DIR}/cmake/tsan.supp")
    endif()
    if(T_SERIAL)
        set_tests_properties(${test} PROPERTIES RUN_SERIAL ON)
    endif()
endfunction()

function(hak_add_unit_test NAME)
    hak_test_parse(unit)
    if(HAK_MUSL)
        return()
    endif()
    if(NOT HAK_CMOCKA)
        set(T_ENV)
        hak_test_add(${T_LABEL}/${NAME} 0 sh -c "echo skipped: cmocka is not installed; exit 77")
        return()
    endif()
    hak_test_program(unit_${NAME})
    target_link_libraries(unit_${NAME} PRIVATE hak_core_fault ${HAK_CMOCKA})
    target_include_directories(unit_${NAME} PRIVATE ${HAK_CMOCKA_INCLUDE})
    hak_test_add(${T_LABEL}/${NAME} 0 $<TARGET_FILE:unit_${NAME}> ${T_ARGS})
endfunction()

function(hak_add_prefixed_test NAME)
    hak_test_parse(stress)
    if(HAK_MUSL)
        return()
    endif()
    hak_test_program(${T_LABEL}_${NAME}_prefixed)
    target_link_libraries(${T_LABEL}_${NAME}_prefixed PRIVATE hak_core_prefix)
    hak_test_add(${T_LABEL}/${NAME}.prefixed 0 $<TARGET_FILE:${T_LABEL}_${NAME}_prefixed> ${T_ARGS})
endfunction()

function(hak_add_preload_test NAME)
    get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    hak_test_parse(${folder})
    if(HAK_SANITIZE)
        return()
    endif()
    if(HAK_MUSL)
        hak_add_static_test(${NAME} ${ARGN})
        return()
    endif()
    hak_test_program(${T_LABEL}_${NAME})
    hak_test_add(${T_LABEL}/${NAME} 1 $<TARGET_FILE:${T_LABEL}_${NAME}> ${T_ARGS})
    add_dependencies(${T_LABEL}_${NAME} hakmem)
endfunction()

function(hak_add_static_test NAME)
    get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    hak_test_parse(${folder})
    if(HAK_SANITIZE)
        return()
    endif()
    if(HAK_MUSL AND "${T_SOURCES}" MATCHES "\\.(cc|cpp|cxx)" OR HAK_MUSL AND EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${NAME}.cc)
        return() # Debian's musl has no C++ library
    endif()
    hak_test_program(${T_LABEL}_${NAME}_static)
    target_link_libraries(${T_LABEL}_${NAME}_static PRIVATE hakmem_static)
    target_link_options(${T_LABEL}_${NAME}_static PRIVATE -static)
    hak_test_add(${T_LABEL}/${NAME}.static 0 $<TARGET_FILE:${T_LABEL}_${NAME}_static> ${T_ARGS})
endfunction()

function(hak_add_command_test NAME)
    get_filename_component(folder ${CMAKE_CURRENT_SOURCE_DIR} NAME)
    hak_test_parse(${folder})
    if(HAK_SANITIZE OR CMAKE_CROSSCOMPILING OR HAK_MUSL)
        return() # commands are about this machine's own build
    endif()
    hak_test_add(${T_LABEL}/${NAME} "${T_PRELOAD}" ${T_COMMAND} ${T_ARGS})
endfunction()
