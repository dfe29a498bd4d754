/* foreign.c : libc's chunks are known by their headers, everything else ends the program; nothing is read that cannot be. */
#include "cold/foreign.h"
#include "unit.h"
#include <dlfcn.h>
#include <sys/mman.h>

static void *from_libc(const char *name) { return dlsym(RTLD_DEFAULT, name); }
static void *only_malloc(const char *name) { return strcmp(name, "malloc") == 0 ? (void *)name : 0; }

static void nothing_behind(void) {
    os_fault_symbols(only_malloc);
    if (foreign_load()) {
        _exit(1);
    }
}

static void owns_nothing(void) { foreign_owns(&nothing_behind, "free"); }

static void no_libc(void **state) {
    (void)state;
    unit_child(nothing_behind, 0);
    unit_child(owns_nothing, "hakmem: free(): invalid pointer 0x");
}

/* A word before the pointer with this size and these flags. */
static void *pretend(size_t before, size_t size) {
    static size_t *room; /* far from the program break, below which glibc's main heap lies */
    if (!room) {
        room = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    room[30] = before;
    room[31] = size;
    return &room[32];
}

static void *suspect;
static void suspected(void) {
    os_fault_symbols(from_libc);
    foreign_owns(suspect, "realloc");
}

static void not_fooled(void **state) {
    (void)state;
    char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(page != MAP_FAILED);
    assert_int_equal(mprotect(page, 4096, PROT_NONE), 0);
    void *const suspects[] = {(void *)1,
                              (void *)16,
                              (void *)(uintptr_t)0xdeadbeef,
                              (void *)UINTPTR_MAX,
                              (void *)(uintptr_t)0x8000000000000000,
                              page + 4096, /* its header cannot be read */
                              page + 5000,
                              page + 6000 + 8,
                              pretend(0, 0x21),
                              (char *)pretend(0, 0x31) + 8};
    for (unsigned i = 0; i < COUNT(suspects); i++) {
        suspect = suspects[i];
        unit_child(suspected, "hakmem: realloc(): invalid pointer 0x");
    }
    suspect = pretend(0, 0x19); /* too small */
    unit_child(suspected, "invalid pointer");
    suspect = pretend(0, 0x28 | 1);
    unit_child(suspected, "invalid pointer");
    suspect = pretend(100, 0x1000 | 2); /* says "mapped", its mapping starts nowhere */
    unit_child(suspected, "invalid pointer");
    suspect = pretend(0, 0x1000 | 4); /* says "other arena", the arena is not readable */
    unit_child(suspected, "invalid pointer");
    munmap(page, 8192);
}

/* The very chunks that glibc makes: small, large, mapped. (Under a sanitizer libc's malloc is not glibc's.) */
static void known(void) {
    os_fault_symbols(from_libc);
    if (!foreign_load() || !getenv("HAK_TEST_GLIBC")) {
        return;
    }
    for (size_t n = 1; n < (size_t)64 << 20; n = n * 3 + 7) {
        void *p = hak_foreign.malloc(n);
        if (!foreign_owns(p, "free") || hak_foreign.usable_size(p) < n) {
            _exit(1);
        }
        hak_foreign.free(p);
    }
}

static void libc_blocks(void **state) {
    (void)state;
    Dl_info info;
    void *malloc_here = from_libc("malloc");
    if (malloc_here && dladdr(malloc_here, &info) && strstr(info.dli_fname, "libc.so")) {
        setenv("HAK_TEST_GLIBC", "1", 1);
    }
    unit_child(known, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_libc), cmocka_unit_test(not_fooled),
                                       cmocka_unit_test(libc_blocks)};
    return RUN(tests);
}
