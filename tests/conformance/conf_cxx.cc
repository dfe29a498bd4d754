// conf_cxx.cc : every replaceable form of operator new and delete (C++20 17.6.3), bad_alloc and the new handler.
//                                                                                        runs on any allocator
#include "conformance/family.h"
#include <cstdint>
#include <new>
#include <string>
#include <thread>
#include <vector>

namespace {

const std::size_t sizes[] = {0, 1, 16, 24, 100, 1000, 10000, 100000, 1000000, 50000000};
const std::size_t alignments[] = {8, 16, 32, 64, 256, 4096, 65536, 2097152};

void use(void *p, std::size_t n, std::size_t alignment) {
    REQUIRE(p != nullptr);
    CHECK(is_aligned(p, alignment));
    CHECK(malloc_usable_size(p) >= n);
    if (n) {
        static_cast<char *>(p)[0] = 1;
        static_cast<char *>(p)[n - 1] = 1;
    }
}

void plain_forms() {
    for (std::size_t n : sizes) {
        std::size_t a = n >= 16 ? 16 : 8;
        void *p = ::operator new(n);
        use(p, n, a);
        ::operator delete(p);
        p = ::operator new(n);
        ::operator delete(p, n);
        p = ::operator new(n, std::nothrow);
        use(p, n, a);
        ::operator delete(p, std::nothrow);
        p = ::operator new[](n);
        use(p, n, a);
        ::operator delete[](p);
        p = ::operator new[](n);
        ::operator delete[](p, n);
        p = ::operator new[](n, std::nothrow);
        use(p, n, a);
        ::operator delete[](p, std::nothrow);
        p = ::operator new(n);
        std::free(p); // not promised by C++, true of every malloc replacement, and programs do it
    }
    errno = 4242;
    ::operator delete(nullptr);
    ::operator delete[](nullptr);
    CHECK(errno == 4242);
}

void aligned_forms() {
    for (std::size_t n : sizes) {
        for (std::size_t a : alignments) {
            std::align_val_t al{a};
            void *p = ::operator new(n, al);
            use(p, n, a);
            ::operator delete(p, al);
            p = ::operator new(n, al);
            ::operator delete(p, n, al);
            p = ::operator new(n, al, std::nothrow);
            use(p, n, a);
            ::operator delete(p, al, std::nothrow);
            p = ::operator new[](n, al);
            use(p, n, a);
            ::operator delete[](p, al);
            p = ::operator new[](n, al);
            ::operator delete[](p, n, al);
            p = ::operator new[](n, al, std::nothrow);
            use(p, n, a);
            ::operator delete[](p, al, std::nothrow);
        }
    }
}

template <typename Call> bool throws_bad_alloc(Call call) {
    try {
        std::free(hide(call()));
    } catch (const std::bad_alloc &) {
        return true;
    }
    return false;
}

int handler_calls;
void giving_up_handler() {
    if (++handler_calls == 3) {
        std::set_new_handler(nullptr);
    }
}
void throwing_handler() { throw std::bad_alloc(); }
struct own_error : std::bad_alloc {};
void own_error_handler() { throw own_error(); }

void out_of_memory() {
    std::size_t absurd = hide_size(SIZE_MAX / 2 + 100);
    std::align_val_t al{64};
    CHECK(throws_bad_alloc([=] { return ::operator new(absurd); }));
    CHECK(throws_bad_alloc([=] { return ::operator new[](absurd); }));
    CHECK(throws_bad_alloc([=] { return ::operator new(absurd, al); }));
    CHECK(throws_bad_alloc([=] { return ::operator new[](absurd, al); }));
    CHECK(::operator new(absurd, std::nothrow) == nullptr);
    CHECK(::operator new[](absurd, std::nothrow) == nullptr);
    CHECK(::operator new(absurd, al, std::nothrow) == nullptr);
    CHECK(::operator new[](absurd, al, std::nothrow) == nullptr);
}

// The handler is called until it throws, gives up or memory is there.
void new_handlers() {
    std::size_t absurd = hide_size(SIZE_MAX / 2 + 100);
    std::align_val_t al{64};
    handler_calls = 0;
    std::set_new_handler(giving_up_handler);
    CHECK(throws_bad_alloc([=] { return ::operator new(absurd); }));
    CHECK(handler_calls == 3);
    handler_calls = 0;
    std::set_new_handler(giving_up_handler);
    CHECK(::operator new(absurd, std::nothrow) == nullptr);
    CHECK(handler_calls == 3);
    handler_calls = 0;
    std::set_new_handler(giving_up_handler);
    CHECK(throws_bad_alloc([=] { return ::operator new(absurd, al); }));
    CHECK(handler_calls == 3);
    std::set_new_handler(throwing_handler);
    CHECK(::operator new(absurd, std::nothrow) == nullptr);
    CHECK(::operator new[](absurd, al, std::nothrow) == nullptr);
    std::set_new_handler(own_error_handler);
    bool own = false;
    try {
        ::operator delete(::operator new(absurd));
    } catch (const own_error &) {
        own = true;
    } catch (const std::bad_alloc &) {
    }
    CHECK(own);
    std::set_new_handler(nullptr);
}

struct alignas(512) wide {
    char bytes[1500];
};

// The expressions that compilers turn into these calls.
void expressions() {
    for (int i = 0; i < 1000; i++) {
        wide *w = new wide;
        CHECK(is_aligned(w, 512));
        wide *many = new wide[3];
        CHECK(is_aligned(many, 512));
        delete w;
        delete[] many;
    }
    std::vector<std::string> text;
    for (int i = 0; i < 20000; i++) {
        text.push_back(std::string(static_cast<std::size_t>(i % 100), 'x'));
    }
    std::thread other([&] { text.clear(); });
    other.join();
    CHECK(text.empty());
}

} // namespace

int main() {
    check_start();
    plain_forms();
    aligned_forms();
    out_of_memory();
    new_handlers();
    expressions();
    return check_done();
}
