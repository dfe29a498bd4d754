/* conf_realloc.c : realloc and reallocarray: C23 7.24.3.7, POSIX.1-2024, and glibc where they are silent.
 *                                                                                                     runs on any allocator */
#include "conformance/family.h"
#include <stdint.h>

/* One hop of a walk whose content must move along. */
static void fill(unsigned char *p, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        p[i] = (unsigned char)(i * 31 + (i >> 8));
    }
}

static bool filled(const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (p[i] != (unsigned char)(i * 31 + (i >> 8))) {
            return false;
        }
    }
    return true;
}

static unsigned char *resize(unsigned char *p, size_t from, size_t to) {
    unsigned char *q = realloc(p, to);
    REQUIRE(q != NULL);
    CHECK(is_aligned(q, to >= 16 ? 16 : 8));
    CHECK(malloc_usable_size(q) >= to);
    CHECK(filled(q, from < to ? from : to));
    fill(q, from < to ? from : to, to);
    return q;
}

static void grow_by_bytes(void) {
    unsigned char *p = NULL;
    for (size_t n = 1; n <= 3000; n++) {
        p = resize(p, n - 1, n);
    }
    for (size_t n = 2999; n >= 1; n--) {
        p = resize(p, n + 1, n);
    }
    free(p);
}

static void grow_by_half(void) {
    unsigned char *p = NULL;
    size_t n = 0;
    while (n < (size_t)96 << 20) {
        size_t to = n + n / 2 + 7;
        p = resize(p, n, to);
        n = to;
    }
    while (n > 100) {
        size_t to = n * 5 / 9;
        p = resize(p, n, to);
        n = to;
    }
    free(p);
}

static void random_walk(void) {
    uint64_t seed = check_seed();
    unsigned char *p[8] = {0};
    size_t n[8] = {0};
    for (int round = 0; round < 500; round++) {
        size_t k = (size_t)(check_random(&seed) % 8), to = check_random_size(&seed, 1, (size_t)2 << 20);
        p[k] = resize(p[k], n[k], to);
        n[k] = to;
    }
    for (int k = 0; k < 8; k++) {
        free(p[k]);
    }
}

static void failure_keeps_the_block(void) {
    static const size_t sizes[] = {1, 24, 1000, 20000, 200000, 5000000, 80000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned char *p = malloc(sizes[i]);
        REQUIRE(p != NULL);
        fill(p, 0, sizes[i]);
        size_t usable = malloc_usable_size(p);
        static const size_t absurd[] = {(size_t)PTRDIFF_MAX + 1, SIZE_MAX, SIZE_MAX - 4096, (size_t)1 << 60};
        for (size_t k = 0; k < sizeof absurd / sizeof absurd[0]; k++) {
            errno = 0;
            CHECK(realloc(hide(p), hide_size(absurd[k])) == NULL);
            CHECK(errno == ENOMEM);
            CHECK(malloc_usable_size(hide(p)) == usable);
        }
        errno = 0;
        CHECK(reallocarray(hide(p), hide_size(SIZE_MAX / 2), 3) == NULL && errno == ENOMEM);
        CHECK(filled(hide(p), sizes[i]));
        free(hide(p));
    }
}

/* glibc: realloc(p, 0) frees p and returns NULL; realloc(NULL, 0) is malloc(0). POSIX.1-2024 allows both. */
static void to_zero(void) {
    void *p = malloc(100);
    CHECK(realloc(p, hide_size(0)) == NULL);
    p = realloc(NULL, hide_size(0));
    CHECK(p != NULL);
    free(p);
    for (int i = 0; i < 100000; i++) { /* leaks 400 MB if it did not free */
        p = malloc(4096);
        REQUIRE(p != NULL);
        CHECK(realloc(p, hide_size(0)) == NULL);
    }
}

static void array(void) {
    int *p = reallocarray(NULL, 10, sizeof(int));
    REQUIRE(p != NULL);
    for (int i = 0; i < 10; i++) {
        p[i] = i;
    }
    p = reallocarray(p, 100000, sizeof(int));
    REQUIRE(p != NULL);
    CHECK(p[0] == 0 && p[9] == 9);
    static const size_t pair[][2] = {
        {SIZE_MAX, 2}, {(size_t)1 << 33, (size_t)1 << 33}, {SIZE_MAX / 8 + 1, 8}, {2, PTRDIFF_MAX}};
    for (size_t i = 0; i < sizeof pair / sizeof pair[0]; i++) {
        errno = 0;
        CHECK(reallocarray(hide(p), hide_size(pair[i][0]), hide_size(pair[i][1])) == NULL);
        CHECK(errno == ENOMEM);
    }
    CHECK(((int *)hide(p))[9] == 9);
    free(hide(p));
}

/* A block of aligned_alloc keeps its content; its alignment need not survive. */
static void of_aligned(void) {
    for (size_t alignment = 32; alignment <= (size_t)1 << 21; alignment *= 4) {
        unsigned char *p = aligned_alloc(alignment, alignment * 2);
        REQUIRE(p != NULL);
        fill(p, 0, alignment * 2);
        p = resize(p, alignment * 2, alignment * 5);
        p = resize(p, alignment * 5, alignment / 4);
        free(p);
    }
}

int main(void) {
    check_start();
    grow_by_bytes();
    grow_by_half();
    random_walk();
    failure_keeps_the_block();
    to_zero();
    array();
    of_aligned();
    return check_done();
}
