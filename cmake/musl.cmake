# The static library for musl libc, and conformance tests linked -static with it.
set(CMAKE_C_COMPILER musl-gcc)
set(HAK_MUSL ON)

# musl-gcc sees musl's headers only; the kernel's, which are no libc's, lie beside the host's. Links to these alone, so that no
# header of glibc is found by mistake.
set(kernel ${CMAKE_BINARY_DIR}/kernel-headers)
file(MAKE_DIRECTORY ${kernel})
foreach(folder linux asm-generic asm)
    foreach(from /usr/include/${folder} /usr/include/${CMAKE_HOST_SYSTEM_PROCESSOR}-linux-gnu/${folder})
        if(EXISTS ${from} AND NOT EXISTS ${kernel}/${folder})
            file(CREATE_LINK ${from} ${kernel}/${folder} SYMBOLIC)
        endif()
    endforeach()
endforeach()
set(CMAKE_C_FLAGS_INIT "-idirafter ${kernel}")
