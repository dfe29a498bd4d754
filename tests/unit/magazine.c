/* magazine.c : chunks of a thread's magazines: refill, overflow, settle, idle shrink, count, refusals. */
#include "cold/magazine.h"
#include "cold/heap.h"
#include "cold/meta.h"
#include "cold/slab.h"
#include "unit.h"

enum { MANY = 100000 };
static struct heap *heap;
static struct thread_cache *cache;
static void *block[MANY];

static int setup(void **state) {
    (void)state;
    heap = unit_start();
    cache = &hak_tls;
    return 0;
}

static void *pop(unsigned cls) {
    uintptr_t *top = cache->top[cls], p = top[-1];
    if (p) {
        cache->top[cls] = top - 1;
        return (void *)p;
    }
    return magazine_refill(cache, heap, cls);
}

static void refill_and_push(void **state) {
    (void)state;
    static const unsigned classes[] = {0, 7, 15, 30, 55, 60, 71};
    for (unsigned i = 0; i < COUNT(classes); i++) {
        unsigned cls = classes[i], n = cls < 40 ? 5000 : 40;
        for (unsigned k = 0; k < n; k++) {
            block[k] = pop(cls);
            assert_non_null(block[k]);
            *(size_t *)block[k] = k;
        }
        unit_verify();
        for (unsigned k = 0; k < n; k++) {
            assert_int_equal(*(size_t *)block[k], k);
            magazine_push(cache, heap, block[k], cls);
        }
        unit_verify();
        magazine_settle_class(cache, heap, cls);
        assert_true(cache->top[cls] == HAK_EMPTY);
        assert_int_equal(magazine_count(cache, heap, cls), 0);
        unit_verify();
    }
}

/* A magazine holds what it was given, less what overflowed: by count, and never over its bytes. */
static void budget(void **state) {
    (void)state;
    unsigned cls = 7, n = MANY;
    for (unsigned k = 0; k < n; k++) {
        block[k] = pop(cls);
        assert_non_null(block[k]);
    }
    size_t before = magazine_count(cache, heap, cls), most = 0;
    for (unsigned k = 0; k < n; k++) {
        magazine_push(cache, heap, block[k], cls);
        most = hak_max(most, magazine_count(cache, heap, cls));
    }
    assert_true(before < 126 && most >= 126);
    assert_true(most * hak_class[cls].size <= 1048576 + 126 * hak_class[cls].size);
    unit_verify();
    magazine_settle_all(cache, heap);
    unit_verify();
}

/* Up and down at random about a chunk's end: the slow path is met each time that half a chunk was used or filled, not at each crossing. */
static void up_and_down(void **state) {
    (void)state;
    static const unsigned classes[] = {2, 20, 40, 71};
    uint64_t seed = 5;
    for (unsigned i = 0; i < COUNT(classes); i++) {
        unsigned cls = classes[i], cap = hak_class[cls].cap, n = 5 * cap, all = n, steps = 0, walked = 20000;
        for (unsigned k = 0; k < n; k++) {
            assert_non_null(block[k] = pop(cls));
        }
        heap->max_chunks[cls] = 8;
        while (n > 3 * cap / 2) {
            magazine_push(cache, heap, block[--n], cls);
        }
        for (unsigned k = 0; k < walked; k++) {
            struct chunk *before = chunk_of(cache->top[cls]);
            if (n == 0 || (n < all && unit_below(&seed, 2))) {
                assert_non_null(block[n++] = pop(cls));
            } else {
                magazine_push(cache, heap, block[--n], cls);
            }
            steps += chunk_of(cache->top[cls]) != before;
            if (k % 1000 == 0) {
                assert_in_range(magazine_count(cache, heap, cls) + n, all, all + cap);
                unit_verify();
            }
        }
        assert_in_range(steps, 1, cap > 60 ? walked / 200 : walked / 2);
        while (n) {
            magazine_push(cache, heap, block[--n], cls);
        }
        unit_verify();
        magazine_settle_class(cache, heap, cls);
        unit_verify();
    }
}

/* Bytes in all magazines after bursts of 24 classes, which make the budgets grow. */
static size_t hoard(void) {
    size_t held = 0;
    for (unsigned i = 0; i < 24 * 8; i++) {
        unsigned cls = 16 + i % 24, n = (1u << 20) / hak_class[cls].size;
        for (unsigned k = 0; k < n; k++) {
            block[k] = pop(cls);
        }
        while (n) {
            magazine_push(cache, heap, block[--n], cls);
        }
    }
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        held += magazine_count(cache, heap, c) * hak_class[c].size;
    }
    magazine_settle_all(cache, heap);
    unit_verify();
    return held;
}

/* What one thread may keep, and what each of many: four times that, together. */
static void many_threads_share(void **state) {
    (void)state;
    struct heap *other[128];
    assert_true(hoard() > 8u << 20);
    for (unsigned i = 0; i < COUNT(other); i++) {
        assert_non_null(other[i] = heap_acquire(HEAP_THREAD));
    }
    assert_true(heap_busy_count() > COUNT(other) && hoard() < 2u << 20);
    for (unsigned i = 0; i < COUNT(other); i++) {
        heap_release(other[i]);
    }
    assert_true(hoard() > 8u << 20);
    for (unsigned i = 0; i < COUNT(other); i++) { /* a heap that no thread has caches nothing */
        assert_non_null(other[i] = heap_acquire(HEAP_FIRST_CLASS));
    }
    assert_true(hoard() > 8u << 20);
    for (unsigned i = 0; i < COUNT(other); i++) {
        heap_release(other[i]);
    }
}

/* A refill takes its first size until the class has memory of which more is a fourth, however often it misses. */
static void batch_is_a_share(void **state) {
    (void)state;
    unsigned cls = 37, n = 0, most = 0; /* 1664 B: 4 blocks first, 32 after three doublings */
    while (n < 2 * hak_class[cls].nobj) {
        block[n++] = pop(cls);
        most = (unsigned)hak_max(most, magazine_count(cache, heap, cls) + 1);
    }
    assert_int_equal(hak_class[cls].batch, 4);
    assert_true(most <= 2 * 65536 / 4 / hak_class[cls].size);
    for (; n < 40u * hak_class[cls].nobj; n++) {
        block[n] = pop(cls);
        most = (unsigned)hak_max(most, magazine_count(cache, heap, cls) + 1);
    }
    assert_int_equal(most, 32);
    while (n) {
        magazine_push(cache, heap, block[--n], cls);
    }
    magazine_settle_all(cache, heap);
    unit_verify();
}

static void count_is_exact(void **state) {
    (void)state;
    for (unsigned k = 0; k < 700; k++) {
        block[k] = pop(9);
    }
    magazine_settle_class(cache, heap, 9);
    for (unsigned k = 0; k < 200; k++) {
        magazine_push(cache, heap, block[k], 9);
        assert_int_equal(magazine_count(cache, heap, 9), k + 1);
    }
    for (unsigned k = 200; k; k--) {
        assert_int_equal(magazine_count(cache, heap, 9), k);
        assert_ptr_equal(pop(9), block[k - 1]); /* last in, first out */
    }
    for (unsigned k = 0; k < 700; k++) {
        magazine_push(cache, heap, block[k], 9);
    }
    magazine_settle_all(cache, heap);
    unit_verify();
}

static void shrink(void **state) {
    (void)state;
    for (unsigned k = 0; k < 20000; k++) {
        block[k] = pop(3);
    }
    for (unsigned k = 0; k < 20000; k++) {
        magazine_push(cache, heap, block[k], 3);
    }
    size_t n = magazine_count(cache, heap, 3);
    assert_true(n > 126);
    magazine_shrink(cache, heap); /* was used: only noted */
    for (int i = 0; i < 20; i++) {
        magazine_shrink(cache, heap);
        unit_verify();
        assert_true(magazine_count(cache, heap, 3) <= n);
        n = magazine_count(cache, heap, 3);
    }
    assert_true(n <= 126);
    magazine_settle_all(cache, heap);
}

static unsigned have;

static void sweep_attempt(void) {
    while (have < 30000) {
        void *p = pop(20);
        if (!p) {
            return;
        }
        block[have++] = p;
    }
}

static void push_attempt(void) {
    while (have) {
        magazine_push(cache, heap, block[--have], 20);
    }
}

/* Neither a refill nor an overflow without memory loses a block. */
static void refusals(void **state) {
    (void)state;
    unit_sweep(sweep_attempt, false);
    assert_int_equal(have, 30000);
    for (unsigned n = 1; n < 12; n++) {
        os_fault_refuse(n, true);
        push_attempt();
        os_fault_refuse(0, false);
        unit_verify();
        sweep_attempt();
    }
    push_attempt();
    magazine_settle_all(cache, heap);
    unit_verify();
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        slab_drop_current(heap, c);
    }
    assert_int_equal(heap->slab_bytes, 0);
}

/* Chunks go round: what comes and goes for ever needs no more of them. */
static void no_chunk_is_lost(void **state) {
    (void)state;
    size_t bytes = 0;
    for (int round = 0; round < 60; round++) {
        for (unsigned k = 0; k < 5000; k++) {
            block[k] = pop(4);
        }
        for (unsigned k = 0; k < 5000; k++) {
            magazine_push(cache, heap, block[k], 4);
        }
        bytes = round == 10 ? meta_bytes() : bytes;
    }
    assert_int_equal(meta_bytes(), bytes);
    magazine_settle_all(cache, heap);
    unit_verify();
}

static void chunks(void **state) {
    (void)state;
    struct chunk *k[100];
    for (unsigned i = 0; i < COUNT(k); i++) {
        k[i] = chunk_get(heap);
        assert_non_null(k[i]);
        assert_int_equal((uintptr_t)k[i] % HAK_CHUNK_BYTES, 0);
        memset(k[i], (int)i, sizeof *k[i]);
    }
    for (unsigned i = 0; i < COUNT(k); i++) {
        assert_int_equal(((unsigned char *)k[i])[1023], i);
        chunk_put(heap, k[i]);
    }
    unit_verify();
    chunk_put_all(heap);
    assert_null(heap->spare);
    assert_int_equal(heap->nspare, 0);
    size_t bytes = meta_bytes();
    for (unsigned i = 0; i < COUNT(k); i++) {
        k[i] = chunk_get(heap);
    }
    assert_int_equal(meta_bytes(), bytes); /* from the common list */
    for (unsigned i = 0; i < COUNT(k); i++) {
        chunk_put(heap, k[i]);
    }
}

static void fill(unsigned cls, unsigned n) {
    for (unsigned k = 0; k < n; k++) {
        block[k] = pop(cls);
        assert_non_null(block[k]);
    }
    for (unsigned k = 0; k < n; k++) {
        magazine_push(cache, heap, block[k], cls);
    }
}

/* A heap that grows takes back what classes cache that are not refilled. */
static void growth(void **state) {
    (void)state;
    magazine_settle_all(cache, heap);
    fill(40, 120);
    magazine_settle_class(cache, heap, 40); /* now the class has slabs, and its budget */
    fill(40, 120);
    memset(heap->used, 0, sizeof heap->used);
    size_t count = magazine_count(cache, heap, 40);
    assert_true(count > hak_class[40].batch);
    for (unsigned i = 0; i < 64 && magazine_count(cache, heap, 40) == count; i++) {
        magazine_grown(cache, heap, 7);
    }
    assert_int_equal(magazine_count(cache, heap, 40), hak_class[40].batch);
    unit_verify();
    magazine_settle_all(cache, heap);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(growth),
                                       cmocka_unit_test(refill_and_push),
                                       cmocka_unit_test(budget),
                                       cmocka_unit_test(batch_is_a_share),
                                       cmocka_unit_test(many_threads_share),
                                       cmocka_unit_test(count_is_exact),
                                       cmocka_unit_test(shrink),
                                       cmocka_unit_test(refusals),
                                       cmocka_unit_test(up_and_down),
                                       cmocka_unit_test(no_chunk_is_lost),
                                       cmocka_unit_test(chunks)};
    return cmocka_run_group_tests(tests, setup, 0);
}
