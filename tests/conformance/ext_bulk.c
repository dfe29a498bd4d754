/* ext_bulk.c : hakmem.h: hak_malloc_usable, hak_malloc_bulk, hak_free_bulk, hak_thread_idle, hak_trim.          hakmem only */
#include "conformance/family.h"
#include "hakmem/hakmem.h"
#include <stdint.h>

enum { MANY = 10000 };
static void *block[MANY];

static void version(void) {
    CHECK(hak_version() == HAKMEM_VERSION_MAJOR * 10000 + HAKMEM_VERSION_MINOR * 100 + HAKMEM_VERSION_PATCH);
}

static void usable(void) {
    for (size_t n = 0; n < 30000000; n = n * 2 + 3) {
        size_t got = 0;
        char *p = hak_malloc_usable(n, &got);
        REQUIRE(p != NULL);
        CHECK(got >= n && got == malloc_usable_size(p));
        memset(p, 1, got < 100000 ? got : 100000);
        free(p);
    }
    free(hak_malloc_usable(100, NULL));
    size_t got = 4242;
    errno = 0;
    CHECK(hak_malloc_usable(SIZE_MAX, &got) == NULL && errno == ENOMEM && got == 4242);
}

static void in_and_out(size_t size, size_t n) {
    REQUIRE(hak_malloc_bulk(size, n, block) == n);
    for (size_t i = 0; i < n; i++) {
        CHECK(block[i] != NULL && is_aligned(block[i], size >= 16 ? 16 : 8) && malloc_usable_size(block[i]) >= size);
        memset(block[i], (int)(i & 127), size);
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char *p = block[i];
        CHECK(size == 0 || (p[0] == (i & 127) && p[size - 1] == (i & 127)));
    }
    for (size_t i = 0; i < n; i += 3) { /* each may be freed alone */
        free(block[i]);
        block[i] = NULL; /* and NULL entries are skipped */
    }
    errno = 4242;
    hak_free_bulk(block, n);
    CHECK(errno == 4242);
}

static void bulk(void) {
    static const size_t sizes[] = {0, 1, 16, 48, 100, 1000, 5000, 20000};
    static const size_t counts[] = {0, 1, 2, 15, 126, 127, 128, 1000, MANY};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
            in_and_out(sizes[i], counts[k]);
        }
    }
    in_and_out(300000, 20);
    in_and_out(3000000, 5);
    void *one = &bulk;
    errno = 0;
    CHECK(hak_malloc_bulk(SIZE_MAX, 1, &one) == 0 && errno == ENOMEM && one == (void *)&bulk);
    hak_free_bulk(NULL, 0);
}

/* Bulk frees of mixed sizes, in any order. */
static void mixed(void) {
    uint64_t seed = check_seed();
    for (size_t i = 0; i < MANY; i++) {
        block[i] = malloc(check_random_size(&seed, 1, i % 500 ? 3000 : 2000000));
    }
    for (size_t i = MANY - 1; i > 0; i--) {
        size_t k = (size_t)(check_random(&seed) % (i + 1));
        void *t = block[i];
        block[i] = block[k];
        block[k] = t;
    }
    hak_free_bulk(block, MANY);
}

static void idle_and_trim(void) {
    for (int round = 0; round < 20; round++) {
        in_and_out(64, 5000);
        hak_thread_idle();
        hak_thread_idle();
    }
    for (size_t i = 0; i < MANY; i++) {
        block[i] = malloc(4000);
        memset(block[i], 1, 4000);
    }
    hak_free_bulk(block, MANY);
    struct hak_stats before, after;
    hak_stats_get(&before);
    size_t released = hak_trim(0);
    hak_stats_get(&after);
    CHECK(released > 0 || before.resident < 8000000);
    CHECK(after.resident < 8000000);
    CHECK(hak_trim(SIZE_MAX) == 0);
    in_and_out(64, 5000);
}

int main(void) {
    check_start();
    version();
    usable();
    bulk();
    mixed();
    idle_and_trim();
    return check_done();
}
