/* conf_calloc.c : calloc gives zeroes after any reuse: C23 7.24.3.2.                                  runs on any allocator */
#include "conformance/family.h"
#include <stdint.h>

static bool all_zero(const unsigned char *p, size_t n) {
    if (n == 0) {
        return true;
    }
    return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

static void *dirty(size_t n) {
    unsigned char *p = malloc(n);
    REQUIRE(p != NULL);
    memset(p, 0xFF, malloc_usable_size(p));
    return p;
}

/* Fills, frees and callocs the same sizes, count at once, so that calloc meets what malloc left behind. */
static void zero_after_dirty(size_t n, size_t count) {
    void *block[64];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < count; i++) {
            block[i] = dirty(n);
        }
        for (size_t i = 0; i < count; i++) {
            free(block[i]);
        }
        for (size_t i = 0; i < count; i++) {
            block[i] = calloc(1, n);
            REQUIRE(block[i] != NULL);
            CHECK(all_zero(block[i], n));
            memset(block[i], 0x5A, n);
        }
        for (size_t i = 0; i < count; i++) {
            free(block[i]);
        }
    }
}

static void small_to_huge(void) {
    static const size_t sizes[] = {1,      8,       16,      24,      32,      48,       100,      256,
                                   257,    1000,    1024,    4096,    5000,    8192,     9000,     16384,
                                   20000,  32768,   33000,   65536,   100000,  131072,   131073,   200000,
                                   262144, 1000000, 1048576, 1048577, 3000000, 10000000, 33554432, 70000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t count = sizes[i] <= 4096 ? 64 : sizes[i] <= 1 << 20 ? 8 : 2;
        zero_after_dirty(sizes[i], count);
    }
}

/* Memory that another size dirtied: a slab or span that changes its class must not bring the old content. */
static void zero_after_other_sizes(void) {
    uint64_t seed = check_seed();
    enum { SLOTS = 400, ROUNDS = 30000 };
    static unsigned char *block[SLOTS];
    for (int round = 0; round < ROUNDS; round++) {
        size_t slot = (size_t)(check_random(&seed) % SLOTS);
        size_t n = check_random_size(&seed, 1, round % 16 ? 40000 : 3000000);
        free(block[slot]);
        if (check_random(&seed) & 1) {
            block[slot] = calloc(1, n);
            REQUIRE(block[slot] != NULL);
            CHECK(all_zero(block[slot], n));
        } else {
            block[slot] = malloc(n);
            REQUIRE(block[slot] != NULL);
        }
        memset(block[slot], 0xEE, malloc_usable_size(block[slot]));
    }
    for (int i = 0; i < SLOTS; i++) {
        free(block[i]);
    }
}

/* After a trim some pages are fresh and others are not. */
static void zero_after_trim(void) {
    enum { COUNT = 48 };
    void *block[COUNT];
    for (size_t n = 700; n < 3000000; n = n * 5 / 2) {
        for (int i = 0; i < COUNT; i++) {
            block[i] = dirty(n);
        }
        for (int i = 0; i < COUNT; i += 2) {
            free(block[i]);
        }
        malloc_trim(0);
        for (int i = 0; i < COUNT; i += 2) {
            block[i] = calloc(1, n);
            REQUIRE(block[i] != NULL);
            CHECK(all_zero(block[i], n));
        }
        for (int i = 0; i < COUNT; i++) {
            free(block[i]);
        }
    }
}

static void overflow(void) {
    static const size_t pair[][2] = {{SIZE_MAX, 2},
                                     {2, SIZE_MAX},
                                     {SIZE_MAX, SIZE_MAX},
                                     {SIZE_MAX / 2 + 1, 2},
                                     {(size_t)1 << 32, (size_t)1 << 32},
                                     {SIZE_MAX / 16 + 1, 16},
                                     {SIZE_MAX / 48 + 1, 48},
                                     {(size_t)PTRDIFF_MAX + 1, 1},
                                     {1, SIZE_MAX}};
    for (size_t i = 0; i < sizeof pair / sizeof pair[0]; i++) {
        errno = 0;
        void *p = calloc(hide_size(pair[i][0]), hide_size(pair[i][1]));
        CHECK(p == NULL);
        CHECK(errno == ENOMEM);
        free(p);
    }
}

static void zero_counts(void) {
    void *a = calloc(0, 100), *b = calloc(100, 0), *c = calloc(0, hide_size(SIZE_MAX));
    CHECK(a != NULL && b != NULL && c != NULL && a != b && b != c && a != c);
    free(a);
    free(b);
    free(c);
}

int main(void) {
    check_start();
    small_to_huge();
    zero_after_other_sizes();
    zero_after_trim();
    overflow();
    zero_counts();
    return check_done();
}
