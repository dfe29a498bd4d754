/* stats.c : exact totals, against what the test itself knows; introspection calls; totals in every state of a block. */
#include "diag/stats.h"
#include "api/introspect.h"
#include "api/prefixed.h"
#include "cold/magazine.h"
#include "cold/remote.h"
#include "cold/slab.h"
#include "unit.h"
#include <pthread.h>

enum { MANY = 5000 };
static void *block[MANY];

static struct stats now(void) {
    struct stats s;
    assert_true(stats_get(&s));
    assert_int_equal(s.total.lazyfree, 0);
    assert_true(s.total.active >= s.total.allocated);
    assert_true(s.total.mapped >= s.total.active);
    assert_true(s.total.resident >= s.total.metadata);
    assert_true(s.total.fragmented <= s.total.cached_central);
    return s;
}

static int setup(void **state) {
    (void)state;
    unit_start();
    return 0;
}

static void exact(void **state) {
    (void)state;
    uint64_t seed = 11;
    size_t sum = now().total.allocated;
    for (int round = 0; round < 30; round++) {
        for (int i = 0; i < 1000; i++) {
            size_t k = unit_below(&seed, MANY);
            if (block[k]) {
                sum -= malloc_usable_size(block[k]);
                free(block[k]);
                block[k] = 0;
            } else {
                block[k] = malloc(unit_below(&seed, unit_below(&seed, 100) ? 5000 : 3000000));
                sum += malloc_usable_size(block[k]);
            }
        }
        assert_int_equal(now().total.allocated, sum);
    }
    void *huge = malloc((size_t)100 << 20);
    struct stats s = now();
    assert_int_equal(s.total.allocated, sum + malloc_usable_size(huge));
    assert_int_equal(s.huge, 1);
    assert_int_equal(s.huge_bytes, malloc_usable_size(huge));
    free(huge);
    for (int i = 0; i < MANY; i++) {
        free(block[i]);
        block[i] = 0;
    }
    assert_int_equal(now().huge, 0);
}

static void classes(void **state) {
    (void)state;
    struct stats a = now();
    for (int i = 0; i < 1000; i++) {
        block[i] = malloc(100); /* class 6: 112 bytes */
    }
    struct stats b = now();
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        const struct class_stats *x = &a.cls[c], *y = &b.cls[c];
        size_t live_before = x->blocks - x->avail - x->cached, live = y->blocks - y->avail - y->cached;
        assert_int_equal(live - live_before, c == 6 ? 1000 : 0);
    }
    for (int i = 0; i < 1000; i++) {
        free(block[i]);
    }
}

/* A block on its way home is cached, not allocated, in each of the places where it may wait. */
static void transit(void **state) {
    (void)state;
    struct heap *other = heap_acquire(HEAP_THREAD);
    uintptr_t v[300];
    unsigned n = 0;
    while (n < 300) {
        n += slab_take(other, 10, v + n, 300 - n > 100 ? 100 : 300 - n);
    }
    size_t size = hak_class[10].size, live = now().total.allocated, cached = now().total.cached_thread;
    for (unsigned i = 0; i < 300; i++) {
        remote_push(hak_tls.heap, (void *)v[i], other->id << 8 | 10);
        assert_int_equal(now().total.allocated, live - (i + 1) * size);
        assert_int_equal(now().total.cached_thread, cached + (i + 1) * size);
    }
    remote_flush(hak_tls.heap);
    assert_int_equal(now().total.allocated, live - 300 * size);
    remote_help(hak_tls.heap, other);
    assert_int_equal(now().total.allocated, live - 300 * size);
    assert_int_equal(now().total.cached_thread, cached);
    slab_drop_current(other, 10);
    heap_release(other);
}

/* fragmented, against a count by hand: every other block of one slab. */
static void fragmented(void **state) {
    (void)state;
    struct heap *h = heap_acquire(HEAP_FIRST_CLASS);
    uintptr_t v[1024];
    struct stats a = now();
    for (unsigned n = 0; n < 1024;) {
        n += slab_take(h, 3, v + n, 1024 - n > 100 ? 100 : 1024 - n);
    }
    struct stats b = now();
    assert_int_equal(b.total.cached_central, a.total.cached_central);
    assert_int_equal(b.total.active, a.total.active + HAK_UNIT);
    for (unsigned i = 0; i < 1024; i += 2) {
        slab_settle(h, 3, &v[i], 1);
    }
    b = now();
    assert_int_equal(b.total.cached_central, a.total.cached_central + 512 * 64);
    assert_int_equal(b.total.fragmented, a.total.fragmented + 512 * 64); /* no page is without a live block */
    for (unsigned i = 1; i < 1024; i += 2) {
        if (v[i] >= (uintptr_t)unit_address(unit_of((void *)v[i])) + 4096) {
            slab_settle(h, 3, &v[i], 1);
        }
    }
    b = now();
    assert_int_equal(b.total.fragmented, a.total.fragmented + 32 * 64); /* the first page alone */
    slab_release_all(h);
    memset(h->current, 0, sizeof h->current);
    heap_release(h);
    unit_verify();
}

static void *allocate_for_ever(void *stop) {
    void *p[64] = {0};
    uint64_t seed = 9;
    while (!__atomic_load_n((int *)stop, __ATOMIC_RELAXED)) {
        size_t k = unit_below(&seed, 64);
        free(p[k]);
        p[k] = malloc(unit_below(&seed, 3000));
    }
    for (int i = 0; i < 64; i++) {
        free(p[i]);
    }
    return 0;
}

/* While others allocate the totals are bounded, and nothing blocks or crashes. */
static void concurrent(void **state) {
    (void)state;
    int stop = 0;
    pthread_t t[3];
    size_t before = now().total.allocated;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_create(&t[i], 0, allocate_for_ever, &stop), 0);
    }
    for (int i = 0; i < 300; i++) {
        struct stats s;
        assert_true(stats_get(&s));
        assert_true(s.total.allocated < before + ((size_t)64 << 20));
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < 3; i++) {
        pthread_join(t[i], 0);
    }
    assert_int_equal(now().total.allocated, before);
    unit_verify();
}

static void introspection(void **state) {
    (void)state;
    void *p = malloc(1000), *large = malloc(1000000), *huge = malloc((size_t)70 << 20);
    struct stats s = now();
    struct hak_mallinfo2 m = HAK_API(mallinfo2)();
    assert_int_equal(m.uordblks + m.hblkhd, s.total.allocated);
    assert_int_equal(m.hblks, 1);
    assert_int_equal(m.arena, m.uordblks + m.fordblks);
    struct hak_mallinfo i = HAK_API(mallinfo)();
    assert_int_equal((size_t)i.uordblks, m.uordblks);
    assert_int_equal((size_t)i.hblkhd, m.hblkhd);
    free(huge);
    free(large);
    free(p);
    assert_int_equal(HAK_API(malloc_info)(1, stdout), 22);
    assert_int_equal(HAK_API(mallopt)(-8, 4), 1);
    assert_int_equal(HAK_API(mallopt)(-6, 7), 1);
    assert_int_equal(HAK_API(mallopt)(12345, 7), 0);
    HAK_API(malloc_trim)(0);
    assert_int_equal(HAK_API(malloc_trim)(0), 0);
    struct hak_stats h;
    hak_stats_get(&h);
    assert_int_equal(h.allocated, now().total.allocated);
}

/* malloc_info to a stream whose buffer grows by our own malloc would deadlock if a lock were held. */
static void xml(void **state) {
    (void)state;
    char text[20000];
    void *p = malloc(24);
    FILE *f = tmpfile();
    assert_non_null(f);
    assert_int_equal(HAK_API(malloc_info)(0, f), 0);
    rewind(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = 0;
    fclose(f);
    assert_memory_equal(text, "<malloc version=\"hakmem-1\">\n", 28);
    assert_string_equal(text + n - 10, "</malloc>\n");
    assert_non_null(strstr(text, "<huge_pages kernel=\"known\" advised=\"2048K\" everywhere=\"none\" size=\"0\""));
    assert_non_null(strstr(text, "<class size=\"32\" slabs=\"1\""));
    free(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(exact),         cmocka_unit_test(classes),
                                       cmocka_unit_test(transit),       cmocka_unit_test(fragmented),
                                       cmocka_unit_test(introspection), cmocka_unit_test(xml),
                                       cmocka_unit_test(concurrent)};
    return cmocka_run_group_tests(tests, setup, 0);
}
