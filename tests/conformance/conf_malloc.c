/* conf_malloc.c : malloc and free: C23 7.24.3, POSIX.1-2024 malloc() and free().                      runs on any allocator */
#include "conformance/family.h"
#include <stdint.h>

enum { STEPS = 4096, MANY = 2000 };

/* A fundamental alignment for every size that could hold such an object; x86-64 and aarch64 ABIs say 16. */
static size_t least_alignment(size_t n) { return n >= 16 ? 16 : 8; }

static void every_small_size(void) {
    for (size_t n = 0; n <= STEPS; n++) {
        unsigned char *p = malloc(n);
        REQUIRE(p != NULL);
        CHECK(is_aligned(p, least_alignment(n)));
        size_t usable = malloc_usable_size(p);
        CHECK(usable >= n);
        memset(p, 0xA5, usable);
        CHECK(malloc_usable_size(p) == usable);
        free(p);
    }
}

static void sizes_around_powers(void) {
    for (size_t base = 4096; base <= (size_t)1 << 28; base *= 2) {
        for (int d = -17; d <= 17; d++) {
            size_t n = base + (size_t)(ptrdiff_t)d;
            unsigned char *p = malloc(n);
            REQUIRE(p != NULL);
            CHECK(is_aligned(p, 16));
            size_t usable = malloc_usable_size(p);
            CHECK(usable >= n);
            p[0] = 1;
            p[n / 2] = 2;
            p[usable - 1] = 3; /* wholly usable: the last byte is ours */
            CHECK(malloc_usable_size(p) == usable);
            free(p);
        }
    }
}

static void whole_usable_size_is_ours(void) {
    static unsigned char *block[MANY];
    static size_t usable[MANY];
    uint64_t seed = check_seed();
    for (int i = 0; i < MANY; i++) {
        block[i] = malloc(check_random_size(&seed, 1, 100000));
        REQUIRE(block[i] != NULL);
        usable[i] = malloc_usable_size(block[i]);
        memset(block[i], i & 255, usable[i]);
    }
    for (int i = 0; i < MANY; i++) {
        CHECK(malloc_usable_size(block[i]) == usable[i]);
        size_t same = 0;
        while (same < usable[i] && block[i][same] == (i & 255)) {
            same++;
        }
        CHECK(same == usable[i]);
        free(block[i]);
    }
}

static void zero_size_is_unique(void) {
    static void *block[MANY];
    for (int i = 0; i < MANY; i++) {
        block[i] = malloc(0);
        CHECK(block[i] != NULL);
    }
    /* Each is distinct and frees alone: pairwise distinct is seen by writing through what is usable of none, so compare directly. */
    for (int i = 0; i < MANY; i++) {
        for (int j = i + 1; j < MANY; j += 37) {
            CHECK(block[i] != block[j]);
        }
    }
    for (int i = 0; i < MANY; i++) {
        free(block[i]);
    }
}

static void absurd_sizes_fail(void) {
    static const size_t absurd[] = {
        (size_t)PTRDIFF_MAX + 1, (size_t)PTRDIFF_MAX + 2, SIZE_MAX,        SIZE_MAX - 1,     SIZE_MAX - 15,
        SIZE_MAX - 16,           SIZE_MAX - 4095,         SIZE_MAX - 4096, SIZE_MAX - 65535, SIZE_MAX / 2 + 4096,
        SIZE_MAX - (1 << 21)};
    for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
        errno = 0;
        void *p = malloc(hide_size(absurd[i]));
        CHECK(p == NULL);
        CHECK(errno == ENOMEM);
        free(p);
    }
    /* PTRDIFF_MAX itself is allowed and cannot be had: no machine has so much address space. */
    errno = 0;
    CHECK(malloc(hide_size(PTRDIFF_MAX)) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(malloc(hide_size((size_t)1 << 60)) == NULL && errno == ENOMEM);
    void *after = malloc(100);
    CHECK(after != NULL);
    free(after);
}

/* POSIX.1-2024: free() shall not modify errno if ptr is a null pointer or a pointer previously returned. */
static void free_keeps_errno(void) {
    static const size_t sizes[] = {1, 100, 3000, 40000, 200000, 3000000, 100000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *p = malloc(sizes[i]);
        REQUIRE(p != NULL);
        p[0] = 1;
        errno = 4242;
        free(p);
        CHECK(errno == 4242);
    }
    errno = 4243;
    free(NULL);
    CHECK(errno == 4243);
}

/* A call that succeeds leaves errno alone: not promised by C, but programs that set errno = 0 before strtol-like calls rely on it. */
static void success_keeps_errno(void) {
    for (size_t n = 1; n <= (size_t)1 << 26; n *= 4) {
        errno = 77;
        void *p = malloc(n);
        CHECK(p != NULL && errno == 77);
        free(p);
    }
}

static void usable_size_of_null(void) { CHECK(malloc_usable_size(hide(NULL)) == 0); }

int main(void) {
    check_start();
    every_small_size();
    sizes_around_powers();
    whole_usable_size_is_ours();
    zero_size_is_unique();
    absurd_sizes_fail();
    free_keeps_errno();
    success_keeps_errno();
    usable_size_of_null();
    return check_done();
}
