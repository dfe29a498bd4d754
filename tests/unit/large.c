/* large.c : blocks that are spans: alignment, zeroes, growth and shrinking in place, a heap's end, double frees, refusals. */
#include "cold/large.h"
#include "cold/arena.h"
#include "cold/huge.h"
#include "cold/span.h"
#include "unit.h"

static int setup(void **state) {
    (void)state;
    unit_start();
    return 0;
}

static uint32_t unit(const void *p) { return (uint32_t)unit_of(p); }

static bool zero(const char *p, size_t n) { return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0); }

static void sizes(void **state) {
    (void)state;
    for (size_t n = 0; n <= (size_t)9 << 20; n = n * 3 / 2 + 1000) {
        for (size_t align = 1; align <= HAK_SUPER; align *= 8) {
            bool zeroed = false;
            char *p = large_alloc(n, align, 0, &zeroed);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % align, 0);
            assert_true(large_size(unit(p)) >= n && large_size(unit(p)) < n + SLAB_PAGE + (n == 0));
            assert_true(!zeroed || zero(p, n));
            memset(p, 0xff, n);
            unit_verify();
            assert_true(large_free(unit(p)));
            assert_false(large_free(unit(p))); /* the second free of two loses */
        }
    }
    unit_verify();
    assert_int_equal(span_used(), 0);
}

static void resize(void **state) {
    (void)state;
    bool zeroed = false;
    char *p = large_alloc(200000, 1, 0, &zeroed);
    memset(p, 1, 200000);
    assert_true(large_resize(unit(p), 1000000));
    assert_int_equal(large_size(unit(p)), hak_align_up(1000000, SLAB_PAGE));
    unit_verify();
    char *wall[1024];
    unsigned walls = 0;
    do {
        assert_non_null(wall[walls] = large_alloc(60000, 1, 0, &zeroed));
    } while (unit(wall[walls++]) != unit(p) + 16 && walls < COUNT(wall));
    assert_int_equal(unit(wall[walls - 1]), unit(p) + 16);
    assert_false(large_resize(unit(p), 2000000));
    assert_int_equal(large_size(unit(p)), hak_align_up(1000000, SLAB_PAGE));
    assert_true(large_resize(unit(p), 150000));
    unit_verify();
    assert_true(large_resize(unit(p), 140000));
    assert_false(large_resize(unit(p), HAK_HUGE_MIN + 1));
    assert_false(large_resize(unit(p), SIZE_MAX));
    assert_true(p[0] == 1 && p[139999] == 1);
    unit_verify();
    assert_true(large_free(unit(p)));
    while (walls) {
        assert_true(large_free(unit(wall[--walls])));
    }
    unit_verify();
    assert_int_equal(span_used(), 0);
}

static void heap_end(void **state) {
    (void)state;
    struct heap *h = heap_acquire(HEAP_FIRST_CLASS);
    bool zeroed = false;
    char *other = large_alloc(300000, 1, 0, &zeroed);
    size_t used = span_used();
    for (int i = 0; i < 20; i++) {
        assert_non_null(large_alloc(200000 + (size_t)i * 70000, 1, h->id, &zeroed));
    }
    assert_non_null(large_alloc(HAK_HUGE_MIN + 1, 1, h->id, &zeroed));
    unit_verify();
    large_free_heap(h);
    heap_release(h);
    unit_verify();
    assert_int_equal(span_used(), used);
    assert_true(large_free(unit(other)));
}

static char *got[40];

static void attempt(void) {
    bool zeroed = false;
    for (unsigned i = 0; i < COUNT(got); i++) {
        if (!got[i]) {
            got[i] = large_alloc((size_t)3 << 20, 1, 0, &zeroed);
            if (got[i]) {
                memset(got[i], 1, (size_t)3 << 20);
            }
        }
    }
}

static void refusals(void **state) {
    (void)state;
    unit_sweep(attempt, false);
    unit_sweep(attempt, true);
    for (unsigned i = 0; i < COUNT(got); i++) {
        assert_non_null(got[i]);
        if (arena_holds(got[i])) {
            assert_true(large_free(unit(got[i])));
        } else {
            assert_true(huge_free(got[i])); /* the arena could not grow, a mapping could be had */
        }
    }
    unit_verify();
    assert_int_equal(span_used(), 0);
}

/* No mapping can be had (a limit on address space, and the arena has it all): a huge block comes from the free units, but never by growth. */
static void huge_in_arena(void **state) {
    (void)state;
    bool zeroed = false;
    char *keep[4], *p;
    for (unsigned i = 0; i < COUNT(keep); i++) {
        keep[i] = large_alloc((size_t)40 << 20, 1, 0, &zeroed);
        assert_non_null(keep[i]);
    }
    size_t limit = hak_arena.limit;
    os_fault_break(OS_MAP, true);
    assert_null(large_alloc((size_t)100 << 20, 1, 0, &zeroed));
    for (unsigned i = 0; i < COUNT(keep); i++) {
        assert_true(large_free(unit(keep[i])));
    }
    p = large_alloc((size_t)100 << 20, 1, 0, &zeroed);
    assert_non_null(p);
    assert_int_equal(large_size(unit(p)), (size_t)100 << 20);
    assert_null(large_alloc((size_t)1 << 40, 1, 0, &zeroed));
    assert_null(large_alloc((size_t)100 << 20, 1, 0, &zeroed));
    assert_int_equal(hak_arena.limit, limit);
    os_fault_break(OS_MAP, false);
    unit_verify();
    assert_true(large_free(unit(p)));
    unit_verify();
}

/* Zeroes a block of which every step-th page is in memory and holds something; returns the bytes that went back to the kernel. */
static size_t zeroed_by_purge(size_t n, size_t step) {
    bool zeroed = false;
    char *p = large_alloc(n, 1, 0, &zeroed);
    assert_non_null(p);
    assert_int_equal(os_purge(p, hak_align_down(n, 4096)), 0);
    for (size_t at = 0; at < n; at += step * 4096) {
        p[at] = 1;
    }
    p[n - 1] = 1;
    size_t before = os_fault_purged();
    assert_ptr_equal(large_zero(p, n), p);
    size_t gone = os_fault_purged() - before;
    assert_true(zero(p, n));
    assert_true(large_free((uint32_t)unit_of(p)));
    return gone;
}

/* Little in memory: the rest goes back; much, too small, refused or not known: it is written. */
static void zeroing(void **state) {
    (void)state;
    size_t n = ((size_t)4 << 20) + 100;
    assert_int_equal(zeroed_by_purge(n, 16), ((size_t)4 << 20) / 16 * 15);
    assert_int_equal(zeroed_by_purge(n, 2), 0);
    assert_int_equal(zeroed_by_purge(n, 1), 0);
    assert_int_equal(zeroed_by_purge(600000, 64), 0);
    os_fault_break(OS_RESIDENT, true);
    assert_int_equal(zeroed_by_purge(n, 16), 0);
    os_fault_break(OS_RESIDENT, false);
    bool zeroed = false;
    char *p = large_alloc(n, 1, 0, &zeroed);
    p[n / 2] = 1;
    os_fault_break(OS_PURGE, true);
    assert_true(zero(large_zero(p, n), n));
    os_fault_break(OS_PURGE, false);
    assert_true(large_free((uint32_t)unit_of(p)));
    unit_verify();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes),         cmocka_unit_test(resize),
                                       cmocka_unit_test(heap_end),      cmocka_unit_test(refusals),
                                       cmocka_unit_test(huge_in_arena), cmocka_unit_test(zeroing)};
    return cmocka_run_group_tests(tests, setup, 0);
}
