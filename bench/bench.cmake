# What every folder of benches includes: the harness, once, and hak_add_bench(NAME): the program of NAME.c.
include_guard(GLOBAL)

set(micro ${CMAKE_CURRENT_LIST_DIR}/micro)
add_library(hak_bench_harness STATIC ${micro}/bench.c ${micro}/bench_sys.c)
target_include_directories(hak_bench_harness PUBLIC ${micro})
target_compile_options(hak_bench_harness PUBLIC ${HAK_NO_BUILTIN_MALLOC} -fPIE)
target_link_libraries(hak_bench_harness PRIVATE hak_warnings PUBLIC Threads::Threads ${CMAKE_DL_LIBS})
# Not something to install or link: keep it out of the build directory's top.
set_target_properties(hak_bench_harness PROPERTIES ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bench)

# A bench runs under whatever malloc the process has, so it links no allocator; its binary lies directly in the build directory, and
# is installed where `hakmem bench` looks for it.
function(hak_add_bench name)
    add_executable(${name} ${name}.c)
    target_link_libraries(${name} PRIVATE hak_bench_harness hak_warnings)
    target_link_options(${name} PRIVATE -pie) # so that &malloc tells which library serves
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
    install(TARGETS ${name} RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/hakmem)
endfunction()
