/* ext_heap.c : hakmem.h: first-class heaps.                                                                   hakmem only */
#include "conformance/family.h"
#include "hakmem/hakmem.h"
#include <pthread.h>
#include <stdint.h>

enum { THREADS = 4, EACH = 4000 };

static size_t allocated(void) {
    struct hak_stats s;
    hak_stats_get(&s);
    return s.allocated;
}

static void one_heap(void) {
    hak_heap *h = hak_heap_create();
    REQUIRE(h != NULL);
    uint64_t seed = check_seed();
    for (int i = 0; i < 5000; i++) {
        size_t n = check_random_size(&seed, 1, i % 100 ? 9000 : 2500000);
        unsigned char *p = i & 1 ? hak_heap_malloc(h, n) : hak_heap_calloc(h, 1, n);
        REQUIRE(p != NULL);
        CHECK(is_aligned(p, 16) && malloc_usable_size(p) >= n);
        CHECK((i & 1) || (p[0] == 0 && p[n / 2] == 0 && p[n - 1] == 0));
        memset(p, 0xDD, n);
        if (i % 5 == 0) {
            free(p); /* a heap's block may be freed alone */
        } else if (i % 7 == 0) {
            p = realloc(p, n * 2); /* moves out: this one is the program's again */
            REQUIRE(p != NULL);
            CHECK(p[0] == 0xDD && p[n - 1] == 0xDD);
            if (malloc_usable_size(p) >= n * 2) {
                p[n * 2 - 1] = 1;
            }
            free(p);
        }
    }
    errno = 0;
    CHECK(hak_heap_calloc(h, SIZE_MAX / 2, 3) == NULL && errno == ENOMEM);
    errno = 0;
    CHECK(hak_heap_malloc(h, SIZE_MAX) == NULL && errno == ENOMEM);
    void *zero = hak_heap_malloc(h, 0);
    CHECK(zero != NULL);
    hak_heap_destroy(h);
    hak_heap_destroy(NULL);
}

/* Destroy releases everything: a thousand heaps of 1 MB do not add up. */
static void destroy_releases(void) {
    size_t before = allocated();
    for (int round = 0; round < 1000; round++) {
        hak_heap *h = hak_heap_create();
        REQUIRE(h != NULL);
        for (int i = 0; i < 100; i++) {
            char *p = hak_heap_malloc(h, 10000);
            REQUIRE(p != NULL);
            p[0] = 1;
        }
        CHECK(hak_heap_malloc(h, 3000000) != NULL);
        hak_heap_destroy(h);
    }
    CHECK(allocated() < before + 3000000);
}

/* What came out of the heap's destruction is clean: calloc over it gives zeroes. */
static void zero_after_destroy(void) {
    for (size_t n = 24; n < 500000; n *= 3) {
        hak_heap *h = hak_heap_create();
        REQUIRE(h != NULL);
        for (int i = 0; i < 50; i++) {
            memset(hak_heap_malloc(h, n), 0xFF, n);
        }
        hak_heap_destroy(h);
        for (int i = 0; i < 50; i++) {
            unsigned char *p = calloc(1, n);
            REQUIRE(p != NULL);
            CHECK(p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
            free(p);
        }
    }
}

struct worker {
    hak_heap *heap;
    unsigned char *block[EACH];
    unsigned id;
};

static void *allocate_in(void *arg) {
    struct worker *w = arg;
    for (unsigned i = 0; i < EACH; i++) {
        size_t n = 16 + i % 500;
        w->block[i] = hak_heap_malloc(w->heap, n);
        REQUIRE(w->block[i] != NULL);
        memset(w->block[i], (int)w->id, n);
    }
    for (unsigned i = 0; i < EACH; i += 2) {
        free(w->block[i]);
        w->block[i] = NULL;
    }
    return NULL;
}

static void from_any_thread(void) {
    static struct worker w[THREADS];
    hak_heap *h = hak_heap_create();
    REQUIRE(h != NULL);
    pthread_t t[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        w[i].heap = h;
        w[i].id = i + 1;
        REQUIRE(pthread_create(&t[i], NULL, allocate_in, &w[i]) == 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        for (unsigned k = 0; k < EACH; k++) {
            unsigned char *p = w[i].block[k];
            CHECK(p == NULL || (p[0] == i + 1 && p[15 + k % 500] == i + 1));
            if (k % 3 == 0) {
                free(p);
            }
        }
    }
    hak_heap_destroy(h);
}

int main(void) {
    check_start();
    one_heap();
    destroy_releases();
    zero_after_destroy();
    from_any_thread();
    return check_done();
}
