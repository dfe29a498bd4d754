/* huge.c : blocks that are mappings: the table, the cached mapping, alignment, resize, refusals; nothing stays mapped. */
#include "cold/huge.h"
#include "cold/purge.h"
#include "unit.h"
#include <errno.h>

enum { MB = 1 << 20 };

static int setup(void **state) {
    (void)state;
    unit_start();
    purge_tick(); /* the purge clock stands at the fake clock's second */
    return 0;
}

static size_t live(void) {
    size_t bytes, count, kept;
    huge_stats(&bytes, &count, &kept);
    return bytes;
}

static void sizes_and_alignments(void **state) {
    (void)state;
    size_t before = live();
    for (size_t n = 1; n < 100 * (size_t)MB; n = n * 7 + 5) {
        for (size_t align = 1; align <= 64 * (size_t)MB; align *= 16) {
            bool zeroed = false;
            char *p = huge_alloc(n, align, 0, &zeroed);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % align, 0);
            assert_true(huge_size(p) >= n && (p[0] == 0 || !zeroed) && (p[n - 1] == 0 || !zeroed));
            p[0] = p[n - 1] = 1;
            assert_int_equal(huge_size(p + 1), 0);
            assert_false(huge_free(p + 4096));
            assert_true(huge_free(p));
            assert_false(huge_free(p));
            assert_int_equal(huge_size(p), 0);
        }
    }
    assert_int_equal(live(), before);
    assert_false(huge_free(0));
    assert_int_equal(huge_size((void *)1), 0);
    assert_false(huge_free((void *)1));
}

/* Thousands of blocks in and out of the table. */
static void table(void **state) {
    (void)state;
    enum { LIVE = 2000 };
    static void *p[LIVE];
    uint64_t seed = 5;
    bool zeroed = false;
    size_t mapped = os_fault_mapped();
    for (int i = 0; i < 20000; i++) {
        size_t k = unit_below(&seed, LIVE);
        if (p[k]) {
            assert_true(huge_free(p[k]));
            p[k] = 0;
        } else {
            p[k] = huge_alloc(1 + unit_below(&seed, 40000), 1, 0, &zeroed);
            assert_non_null(p[k]);
        }
    }
    for (size_t k = 0; k < LIVE; k++) {
        assert_true(!p[k] || huge_size(p[k]) > 0);
        assert_true(!p[k] || huge_free(p[k]));
    }
    huge_purge(UINT32_MAX);
    assert_int_equal(live(), 0);
    assert_true(os_fault_mapped() < mapped + MB); /* the table alone */
}

static void cached(void **state) {
    (void)state;
    bool zeroed = false;
    huge_purge(UINT32_MAX);
    char *p = huge_alloc(10 * MB, 1, 0, &zeroed);
    memset(p, 1, 10 * MB);
    assert_true(huge_free(p));
    unsigned maps = os_fault_count(OS_MAP);
    char *q = huge_alloc(10 * MB - 8192, 1, 0, &zeroed);
    assert_ptr_equal(q, p);
    assert_false(zeroed); /* it was used: whoever wants zeroes must write them */
    assert_int_equal(os_fault_count(OS_MAP), maps);
    assert_true(huge_free(q));
    q = huge_alloc(5 * MB, 1, 0, &zeroed); /* fits too badly */
    assert_true(q != p && zeroed);
    assert_true(huge_free(q));
    assert_int_equal(huge_purge(purge_epoch() - 1), 0); /* younger than that */
    assert_int_equal(huge_purge(purge_epoch()), 5 * MB);
    assert_int_equal(huge_purge(UINT32_MAX), 0);
    assert_true(huge_free(huge_alloc(MB - 8192, 1, 0, &zeroed))); /* too small to be worth it */
    assert_int_equal(huge_purge(UINT32_MAX), 0);
    assert_true(huge_unmap(huge_alloc(5 * MB, 1, 0, &zeroed)));
    assert_int_equal(huge_purge(UINT32_MAX), 0);
    assert_false(huge_unmap(q));
}

static size_t spare(void) {
    size_t bytes, count, kept;
    huge_stats(&bytes, &count, &kept);
    return kept;
}

/* A block that grows has all of the cached mapping to grow into, until it has not grown for a while. */
static void growing(void **state) {
    (void)state;
    bool zeroed = false;
    size_t before = live(), mapped = os_fault_mapped();
    huge_purge(UINT32_MAX);
    char *p = huge_alloc(20 * MB, 1, 0, &zeroed);
    memset(p, 1, 20 * MB);
    assert_true(huge_free(p));
    char *q = huge_alloc_growing(2 * MB), *other = huge_alloc_growing(MB);
    unsigned remaps = os_fault_count(OS_REMAP);
    assert_ptr_equal(q, p);
    assert_true(other < p || other >= p + 20 * MB);
    assert_int_equal(huge_size(q), 2 * MB); /* what the program may use does not change under it */
    assert_int_equal(live(), before + 3 * MB);
    assert_int_equal(spare(), 18 * MB);
    assert_int_equal(huge_cached_units(), 18 * MB / HAK_UNIT);
    for (size_t n = 2 * MB; n <= 5 * MB; n += MB) {
        assert_ptr_equal(huge_resize(q, n), q);
        memset(q, 2, n);
    }
    assert_int_equal(os_fault_count(OS_REMAP), remaps);
    assert_int_equal(spare(), 15 * MB);
    os_fault_break(OS_REMAP, true);
    assert_null(huge_resize(q, 21 * MB)); /* unchanged, and still with its spare pages */
    os_fault_break(OS_REMAP, false);
    assert_int_equal(spare(), 15 * MB);
    assert_int_equal(huge_purge(purge_epoch() - 1), 0);
    assert_int_equal(huge_purge(purge_epoch()), 15 * MB);
    assert_int_equal(spare(), 0);
    q = huge_resize(q, 6 * MB); /* another mapping may lie behind it by now */
    assert_true(q && q[0] == 2 && q[5 * MB - 1] == 2 && q[5 * MB] == 0);
    assert_true(huge_free(q) && huge_free(other));

    for (int shrink = 0; shrink < 2; shrink++) {
        p = huge_alloc(20 * MB, 1, 0, &zeroed);
        assert_true(huge_free(p));
        q = huge_alloc_growing(2 * MB);
        q[2 * MB - 1] = 3;
        assert_int_equal(spare(), 18 * MB);
        size_t n = shrink ? MB : 30 * MB;
        q = huge_resize(q, n);
        assert_true(q && (shrink || q[2 * MB - 1] == 3));
        assert_int_equal(huge_size(q), n);
        assert_int_equal(spare(), 0);
        assert_true(huge_free(q));
        assert_int_equal(spare(), n);
    }
    p = huge_alloc(20 * MB, 1, 0, &zeroed);
    assert_true(huge_free(p));
    q = huge_alloc_growing(2 * MB);
    assert_true(huge_free(q)); /* with all that it had */
    assert_int_equal(spare(), 20 * MB);
    assert_int_equal(huge_purge(UINT32_MAX), 20 * MB);
    assert_int_equal(live(), before);
    assert_true(os_fault_mapped() <= mapped + MB);
}

/* Not so an emulator. */
static bool kernel_grows_in_place(void) {
    void *at, *q;
    assert_int_equal(os_reserve(0, 2 * MB, &at), 0);
    assert_int_equal(os_unmap(at, 2 * MB), 0);
    assert_int_equal(os_map_at(at, MB), 0);
    assert_int_equal(os_remap(at, MB, 2 * MB, 0, &q), 0);
    assert_int_equal(os_unmap(q, 2 * MB), 0);
    return q == at;
}

/* A growing block stays where it is: the address space above it is free. From time to time it moves, to where there is room again. */
static void room(void **state) {
    (void)state;
    size_t mapped = os_fault_mapped(), moves = 0;
    huge_purge(UINT32_MAX);
    char *p = huge_alloc_growing(MB), *other = huge_alloc_growing(MB);
    for (size_t n = 2 * MB; n <= 1024 * (size_t)MB; n *= 2) {
        p[0] = p[n / 2 - 1] = (char)n;
        char *q = huge_resize(p, n);
        assert_true(q && q[0] == (char)n && q[n / 2 - 1] == (char)n && q[n / 2] == 0);
        moves += q != p;
        p = q;
    }
    if (kernel_grows_in_place()) {
        assert_true(moves <= 2);
        assert_ptr_equal(huge_resize(p, MB), p);
        assert_ptr_equal(huge_resize(p, 64 * MB), p);
    }
    assert_true(huge_free(p) && huge_free(other));
    huge_purge(UINT32_MAX);
    for (int call = OS_RESERVE; call <= OS_MAP_AT; call++) { /* without it, too */
        os_fault_break(call, call != OS_MAP);
        p = huge_alloc_growing(MB);
        assert_non_null(p);
        memset(p, 1, MB);
        p = huge_resize(p, 100 * MB);
        assert_true(p && p[MB - 1] == 1 && p[100 * MB - 1] == 0);
        assert_true(huge_free(p));
        os_fault_break(call, false);
    }
    huge_purge(UINT32_MAX);
    assert_true(os_fault_mapped() <= mapped + MB);
}

static void resize(void **state) {
    (void)state;
    bool zeroed = false;
    char *p = huge_alloc(3 * MB, 1, 0, &zeroed);
    p[0] = 1;
    p[3 * MB - 1] = 2;
    p = huge_resize(p, 30 * MB);
    assert_true(p && p[0] == 1 && p[3 * MB - 1] == 2 && p[30 * MB - 1] == 0);
    assert_int_equal(huge_size(p), 30 * MB);
    assert_ptr_equal(huge_resize(p, 30 * MB - 5), p);
    assert_null(huge_resize(p, SIZE_MAX));
    assert_null(huge_resize(&zeroed, 100));
    os_fault_break(OS_REMAP, true);
    assert_null(huge_resize(p, 60 * MB));
    os_fault_break(OS_REMAP, false);
    assert_int_equal(huge_size(p), 30 * MB); /* unchanged */
    p = huge_resize(p, 2 * MB);
    assert_true(p && p[0] == 1);
    assert_int_equal(live(), 2 * MB);
    assert_true(huge_free(p));
    huge_purge(UINT32_MAX);
}

static void heaps(void **state) {
    (void)state;
    bool zeroed = false;
    char *mine = huge_alloc(MB, 1, 0, &zeroed);
    for (int i = 0; i < 10; i++) {
        assert_non_null(huge_alloc(MB, 1, 9, &zeroed));
    }
    huge_free_heap(9);
    assert_int_equal(live(), MB);
    assert_true(huge_free(mine));
    huge_purge(UINT32_MAX);
    assert_int_equal(live(), 0);
}

/* A kernel that refuses to unmap: aligned blocks keep their lead, and still come and go. */
static void no_unmap(void **state) {
    (void)state;
    bool zeroed = false;
    os_fault_break(OS_UNMAP, true);
    char *p = huge_alloc(MB, 8 * MB, 0, &zeroed);
    assert_true(p && (uintptr_t)p % (8 * MB) == 0 && huge_size(p) == MB);
    memset(p, 1, MB);
    assert_null(huge_resize(p, 2 * MB)); /* with a lead it cannot move */
    assert_int_equal(huge_size(p), MB);
    os_fault_break(OS_UNMAP, false);
    assert_true(huge_free(p));
    assert_int_equal(live(), 0);
}

static void *block[300];

static void attempt(void) {
    bool zeroed = false;
    errno = 4242;
    for (unsigned i = 0; i < COUNT(block); i++) {
        block[i] = block[i] ? block[i] : huge_alloc(8192 + i, i % 3 ? 1 : 65536, 0, &zeroed);
    }
    assert_int_equal(errno, 4242);
}

static void refusals(void **state) {
    (void)state;
    huge_purge(UINT32_MAX);
    size_t mapped = os_fault_mapped();
    for (unsigned n = 1; n < 40; n++) {
        os_fault_refuse(n, true);
        attempt();
        os_fault_refuse(0, false);
        for (unsigned i = 0; i < COUNT(block); i++) {
            assert_true(!block[i] || huge_free(block[i]));
            block[i] = 0;
        }
        huge_purge(UINT32_MAX);
        assert_int_equal(live(), 0);
        assert_true(os_fault_mapped() <= mapped + 65536);
    }
}

static size_t count(void) {
    size_t bytes, n, kept;
    huge_stats(&bytes, &n, &kept);
    return n;
}

/* The table is full to its mark and cannot grow: a block that was to be resized is there afterwards, as it was or as it was to be. */
static void resize_in_full_table(void **state) {
    (void)state;
    enum { MOST = 32768 };
    static void *p[MOST];
    bool zeroed = false;
    unsigned n = 0, maps;
    size_t slots = 128, had;
    do { /* until the table grows: to four times what it had, and nothing in it is a removed one */
        maps = os_fault_count(OS_MAP);
        had = count();
        p[n] = huge_alloc(4096, 1, 0, &zeroed);
        assert_non_null(p[n++]);
    } while (os_fault_count(OS_MAP) != maps + 2);
    while (slots < had * 4) {
        slots *= 2;
    }
    while (count() < slots * 3 / 4) {
        assert_true(n < MOST);
        p[n] = huge_alloc(4096, 1, 0, &zeroed);
        assert_non_null(p[n++]);
    }
    os_fault_break(OS_MAP, true);
    assert_null(huge_alloc(4096, 1, 0, &zeroed));
    for (unsigned i = 0; i < n; i++) {
        void *q = huge_resize(p[i], 40960);
        p[i] = q ? q : p[i];
        assert_int_equal(huge_size(p[i]), q ? 40960 : 4096);
    }
    os_fault_break(OS_MAP, false);
    p[0] = huge_resize(p[0], 81920);
    assert_int_equal(huge_size(p[0]), 81920);
    while (n) {
        assert_true(huge_free(p[--n]));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes_and_alignments),
                                       cmocka_unit_test(table),
                                       cmocka_unit_test(cached),
                                       cmocka_unit_test(growing),
                                       cmocka_unit_test(room),
                                       cmocka_unit_test(resize),
                                       cmocka_unit_test(heaps),
                                       cmocka_unit_test(no_unmap),
                                       cmocka_unit_test(resize_in_full_table),
                                       cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, setup, 0);
}
