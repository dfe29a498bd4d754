/* api/cxx_nothrow.cc : the one thing that C cannot do: catch what a new handler throws, so that operator new(nothrow) gives NULL.
 * The run-time's entry points are weak: a program without a C++ library still loads us, and never comes here.
 * Threads    any          Source  C++17 [new.delete.single] 7          Test  conformance/cxx */
#include <cstddef>

__asm__(".weak __gxx_personality_v0\n.weak __cxa_begin_catch\n.weak __cxa_end_catch\n.weak _Unwind_Resume");

extern "C" {
__attribute__((visibility("hidden"))) void *new_retry_throwing(std::size_t align, std::size_t n);
__attribute__((visibility("hidden"))) void *new_retry_nothrow(std::size_t align, std::size_t n);
}

void *new_retry_nothrow(std::size_t align, std::size_t n) {
    try {
        return new_retry_throwing(align, n);
    } catch (...) {
        return nullptr;
    }
}
