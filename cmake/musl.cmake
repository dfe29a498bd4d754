# The static library for musl libc, and conformance tests linked -static with it.
set(CMAKE_C_COMPILER musl-gcc)
set(HAK_MUSL ON)
