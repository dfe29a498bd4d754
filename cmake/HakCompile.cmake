# How our code is compiled. Interface targets:
#   hak_warnings   warnings for all of our own C and C++ (errors with HAK_WERROR)
#   hak_flags      what allocator code needs: it defines malloc, so the compiler must not assume that it knows malloc
#   hak_sanitize   the sanitizer of HAK_SANITIZE, empty otherwise
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # GNU C11: __thread, statement attributes, Linux headers
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
foreach(lang C CXX)
    set(CMAKE_${lang}_FLAGS_RELEASE "-O2 -g1 -DNDEBUG")
    set(CMAKE_${lang}_FLAGS_DEBUG "-O1 -g")
endforeach()
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)

add_library(hak_warnings INTERFACE)
set(c_only -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition)
target_compile_options(hak_warnings INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wpointer-arith -Wundef -Wvla -Wwrite-strings -Wformat=2
    "$<$<COMPILE_LANGUAGE:C>:${c_only}>"
    $<$<BOOL:${HAK_WERROR}>:-Werror>)

set(HAK_NO_BUILTIN_MALLOC) # also used by test programs that check malloc itself: the compiler may elide unused pairs
foreach(f malloc calloc realloc free aligned_alloc posix_memalign memalign reallocarray)
    list(APPEND HAK_NO_BUILTIN_MALLOC -fno-builtin-${f})
endforeach()

add_library(hak_flags INTERFACE)
target_include_directories(hak_flags INTERFACE ${PROJECT_SOURCE_DIR}/src ${PROJECT_SOURCE_DIR}/include)
target_compile_definitions(hak_flags INTERFACE "$<$<COMPILE_LANGUAGE:C>:_GNU_SOURCE=>" $<$<BOOL:${HAK_DEV}>:HAK_DEV=1>)
target_compile_options(hak_flags INTERFACE
    ${HAK_NO_BUILTIN_MALLOC} -fno-stack-protector -fvisibility=hidden -fno-strict-aliasing)
target_link_libraries(hak_flags INTERFACE Threads::Threads ${CMAKE_DL_LIBS})

add_library(hak_sanitize INTERFACE)
if(HAK_SANITIZE STREQUAL "address")
    set(sanitize -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
elseif(HAK_SANITIZE STREQUAL "thread")
    set(sanitize -fsanitize=thread -fno-omit-frame-pointer)
elseif(HAK_SANITIZE)
    message(FATAL_ERROR "HAK_SANITIZE is \"${HAK_SANITIZE}\"; it may be address or thread")
endif()
target_compile_options(hak_sanitize INTERFACE ${sanitize})
target_link_options(hak_sanitize INTERFACE ${sanitize})
