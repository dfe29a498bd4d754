/* slab.c : blocks between bitmaps and whoever takes them: order, runs, buckets, release, claims, double frees, refusals. */
#include "cold/slab.h"
#include "cold/purge.h"
#include "cold/slab_list.h"
#include "cold/span.h"
#include "unit.h"

enum { MANY = 60000 };
static struct heap *heap;
static uintptr_t v[MANY];

static int setup(void **state) {
    (void)state;
    unit_start();
    heap = heap_acquire(HEAP_FIRST_CLASS);
    return heap ? 0 : -1;
}

static unsigned take_many(unsigned cls, unsigned n) {
    unsigned got = 0;
    while (got < n) {
        unsigned k = slab_take(heap, cls, v + got, (unsigned)hak_min(n - got, 126));
        assert_true(k > 0 && k <= 126);
        got += k;
    }
    return got;
}

static void empty_again(void) {
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        slab_drop_current(heap, c);
    }
    unit_verify();
    assert_int_equal(heap->slab_bytes, 0);
    assert_int_equal(heap->free_bytes, 0);
}

static void ascending_pops(void **state) {
    (void)state;
    unsigned n = slab_take(heap, 4, v, 100);
    assert_int_equal(n, 100);
    for (unsigned i = 1; i < n; i++) {
        assert_int_equal(v[i - 1] - v[i], hak_class[4].size);
    }
    slab_settle(heap, 4, v, n);
    empty_again();
}

/* The 65th slab of a class and those after it come with their pages; a kernel that cannot is no reason to fail. */
static void populated(void **state) {
    (void)state;
    unsigned c = 40, per = hak_class[c].nobj, before = os_fault_count(OS_POPULATE);
    unsigned n = take_many(c, 64 * per);
    assert_int_equal(os_fault_count(OS_POPULATE) - before, 0);
    n += slab_take(heap, c, v + n, 1);
    assert_int_equal(os_fault_count(OS_POPULATE) - before, 1);
    os_fault_break(OS_POPULATE, true);
    for (unsigned end = n + per; n < end;) {
        n += slab_take(heap, c, v + n, 1);
    }
    os_fault_break(OS_POPULATE, false);
    assert_int_equal(os_fault_count(OS_POPULATE) - before, 2);
    slab_settle(heap, c, v, n);
    empty_again();
}

/* Blocks of more than two pages may never be written but for their start: they come fault by fault. */
static void long_not_populated(void **state) {
    (void)state;
    for (int is_long = 0; is_long < 2; is_long++) {
        unsigned c = 0;
        while (is_long ? hak_class[c].size <= 8192 : hak_class[c + 1].size <= 8192) {
            c++;
        }
        purge_all(0); /* what comes is fresh */
        unsigned before = os_fault_count(OS_POPULATE), n = take_many(c, 66 * hak_class[c].nobj);
        assert_int_equal(os_fault_count(OS_POPULATE) - before, is_long ? 0 : 2);
        slab_settle(heap, c, v, n);
        empty_again();
    }
}

/* Every class: all of three slabs' blocks, each once and in its place; settled in a random order. */
static void every_class(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (unsigned c = 0; c < HAK_CLASSES_FIXED; c++) {
        unsigned n = hak_class[c].nobj * 3u;
        take_many(c, n);
        for (unsigned i = 0; i < n; i++) {
            assert_true(slab_block_start(slab_head(unit_of((void *)v[i])), (void *)v[i]));
            assert_false(slab_block_start(slab_head(unit_of((void *)v[i])), (char *)v[i] + 8));
            assert_false(slab_block_free(slab_head(unit_of((void *)v[i])), (void *)v[i]));
            *(size_t *)v[i] = i;
        }
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(*(size_t *)v[i], i); /* nobody else got it */
        }
        for (unsigned i = n; i > 1; i--) {
            size_t k = unit_below(&seed, i);
            uintptr_t t = v[i - 1];
            v[i - 1] = v[k];
            v[k] = t;
        }
        for (unsigned i = 0; i < n; i += 50) {
            slab_settle(heap, c, v + i, (unsigned)hak_min(n - i, 50));
        }
        unit_verify();
    }
    empty_again();
}

/* Up, down, broken by holes: whatever the run detection sees, the bitmap is the same. */
static void runs(void **state) {
    (void)state;
    for (unsigned hole = 0; hole < 40; hole++) {
        take_many(1, 2048 * 2);
        for (unsigned i = 0, n = 0; i < 4096; i += n) {
            n = (unsigned)hak_min(4096 - i, 8 + hole * 3);
            if (hole % 2) {
                for (unsigned a = i, b = i + n - 1; a < b; a++, b--) {
                    uintptr_t t = v[a];
                    v[a] = v[b];
                    v[b] = t;
                }
            }
            if (hole % 3 == 1) {
                uintptr_t t = v[i + n / 2];
                v[i + n / 2] = v[i];
                v[i] = t;
            }
            slab_settle(heap, 1, v + i, n);
        }
        unit_verify();
    }
    empty_again();
}

static void random_model(void **state) {
    (void)state;
    enum { LIVE = 3000 };
    static uintptr_t live[LIVE];
    static uint8_t cls[LIVE];
    uint64_t seed = 3;
    for (int i = 0; i < 60000; i++) {
        size_t k = unit_below(&seed, LIVE);
        if (live[k]) {
            slab_settle(heap, cls[k], &live[k], 1);
            live[k] = 0;
        } else {
            cls[k] = (uint8_t)unit_below(&seed, HAK_CLASSES_FIXED);
            assert_int_equal(slab_take(heap, cls[k], &live[k], 1), 1);
        }
        if (i % 5000 == 0) {
            unit_verify();
        }
    }
    for (size_t k = 0; k < LIVE; k++) {
        if (live[k]) {
            slab_settle(heap, cls[k], &live[k], 1);
        }
    }
    empty_again();
}

/* The free pages of a partial slab go and come back; the blocks stay where they are. */
static void claims(void **state) {
    (void)state;
    unsigned n = take_many(30, hak_class[30].nobj * 2u);
    uint32_t u = 0;
    for (unsigned i = 0; i < n; i++) {
        uint32_t at = slab_head(unit_of((void *)v[i]));
        u = at != heap->current[30] ? at : u;
    }
    assert_true(u != 0);
    unsigned kept = 0;
    for (unsigned i = 0; i < n; i++) {
        if (slab_head(unit_of((void *)v[i])) == u && v[i] > (uintptr_t)unit_address(u) + 20000) {
            slab_settle(heap, 30, &v[i], 1);
        } else {
            v[kept++] = v[i];
        }
    }
    struct slab_claim c;
    size_t before = heap->free_bytes;
    assert_true(slab_claim_pages(heap, u, &c));
    assert_true(c.npages >= 8 && heap->free_bytes < before);
    slab_unclaim(&c, true);
    assert_int_equal(heap->free_bytes, before);
    unit_verify();
    assert_false(slab_claim_pages(heap, u, &c)); /* they are gone already */
    for (unsigned i = 0; i < kept; i++) {
        slab_settle(heap, 30, &v[i], 1);
    }
    empty_again();
}

/* Blocks come from pages that are there, of whichever slab, before those that were given back. */
static void absent_last(void **state) {
    (void)state;
    unsigned c = 16, per = hak_class[c].nobj, n = take_many(c, 3 * per), kept = 0;
    uint32_t first = slab_head(unit_of((void *)v[0]));
    for (unsigned i = 0; i < n; i++) { /* of the first slab all but its first page, of the others every second block */
        size_t off = v[i] - (uintptr_t)unit_address(first);
        bool stays = off < HAK_UNIT ? off + hak_class[c].size <= SLAB_PAGE : i % 2;
        if (stays) {
            v[kept++] = v[i];
        } else {
            slab_settle(heap, c, &v[i], 1);
        }
    }
    assert_true(heap->current[c] != first);
    struct slab_claim claim;
    assert_true(slab_claim_pages(heap, first, &claim));
    slab_unclaim(&claim, true);
    assert_int_equal(slab_at(first)->bucket, SLAB_LEAN);
    unit_verify();
    uintptr_t more[100];
    for (size_t i = 0; i < COUNT(more); i++) {
        assert_int_equal(slab_take(heap, c, &more[i], 1), 1);
        assert_true(slab_head(unit_of((void *)more[i])) != first);
    }
    slab_settle(heap, c, more, COUNT(more));
    size_t gone = heap->purged_bytes;
    unsigned got = 0; /* the lean slab is next, when nothing else is left of the others */
    while (heap->purged_bytes == gone) {
        assert_true(got < per && slab_take(heap, c, &v[kept + got++], 1) == 1);
    }
    assert_int_equal(slab_head(unit_of((void *)v[kept + got - 1])), first);
    unit_verify();
    for (unsigned i = 0; i < kept + got; i++) {
        slab_settle(heap, c, &v[i], 1);
    }
    empty_again();
}

static bool on_present(uint32_t u, uintptr_t p, size_t size) {
    size_t off = p - (uintptr_t)unit_address(u);
    for (size_t page = off / SLAB_PAGE; page <= (off + size - 1) / SLAB_PAGE; page++) {
        if (*purged_at(u + (uint32_t)(page / 16)) >> page % 16 & 1) {
            return false;
        }
    }
    return true;
}

/* A slab with holes of all lengths, some of their pages given back: until little else is left, what it gives lies on the pages that are there, and
 * all of that comes. */
static void present_first(void **state) {
    (void)state;
    uint32_t random = 1;
    for (unsigned c = 0; c < HAK_CLASSES_FIXED; c++) {
        size_t size = hak_class[c].size;
        unsigned n = take_many(c, 2u * hak_class[c].nobj), kept = 0, there = 0, free_run = 0;
        uint32_t u = slab_head(unit_of((void *)v[0]));
        assert_true(heap->current[c] != u);
        for (unsigned i = 0; i < n; i++) {
            if (slab_head(unit_of((void *)v[i])) == u) {
                if (free_run == 0) {
                    random = random * 1664525 + 1013904223;
                    free_run = 2 + (random >> 16) % (1 + (unsigned)(3 * SLAB_PAGE / size));
                }
                if (--free_run) {
                    slab_settle(heap, c, &v[i], 1);
                    continue;
                }
            }
            v[kept++] = v[i];
        }
        struct slab_claim claim;
        if (slab_claim_pages(heap, u, &claim)) {
            slab_unclaim(&claim, true);
        }
        for (unsigned k = 0; k < hak_class[c].nobj; k++) {
            uintptr_t p = (uintptr_t)unit_address(u) + k * size;
            there += slab_block_free(u, (void *)p) && on_present(u, p, size);
        }
        unsigned given = 0, most = 1 + c % 126;
        while (slab_at(u)->bucket < SLAB_LEAN &&
               given < there) { /* which list it is in is told by about how much is gone */
            uint16_t gone[8];
            for (uint32_t i = 0; i < slab_at(u)->units; i++) {
                gone[i] = *purged_at(u + i);
            }
            unsigned got = slab_take(heap, c, v + kept, (unsigned)hak_min(most, there - given));
            for (unsigned i = 0; i < got; i++) {
                assert_int_equal(slab_head(unit_of((void *)v[kept + i])), u);
                assert_true(on_present(u, v[kept + i], size));
            }
            for (uint32_t i = 0; i < slab_at(u)->units; i++) {
                assert_int_equal(*purged_at(u + i), gone[i]);
            }
            kept += got;
            given += got;
        }
        assert_true(given <= there && there - given <= hak_class[c].least);
        unit_verify();
        for (unsigned i = 0; i < kept; i++) {
            slab_settle(heap, c, &v[i], 1);
        }
    }
    empty_again();
}

/* The last block home: a slab of one unit stays for the next, a larger one is for whoever comes. */
static void last_block(void **state) {
    (void)state;
    for (unsigned c = 0; c < HAK_CLASSES_FIXED; c++) {
        assert_int_equal(slab_take(heap, c, v, 1), 1);
        slab_settle(heap, c, v, 1);
        assert_int_equal(heap->nslabs[c], hak_class[c].units == 1);
        assert_int_equal(heap->current[c] != 0, hak_class[c].units == 1);
    }
    empty_again();
}

/* A current slab that nobody takes from becomes one of the partial ones, and all that was never handed out can be given back. */
static void closed(void **state) {
    (void)state;
    slab_take(heap, 20, v, 3);
    uint32_t u = heap->current[20];
    slab_close(heap, 20);
    assert_int_equal(heap->current[20], 0);
    unit_verify();
    struct slab_claim claim;
    assert_true(slab_claim_pages(heap, u, &claim));
    assert_true(claim.npages >= HAK_UNIT / SLAB_PAGE - 1);
    slab_unclaim(&claim, true);
    unit_verify();
    assert_int_equal(slab_take(heap, 20, v + 3, 5), 5);
    assert_int_equal(slab_head(unit_of((void *)v[3])), u);
    slab_settle(heap, 20, v, 8);
    slab_take(heap, 20, v, 1);
    slab_settle(heap, 20, v, 1);
    slab_close(heap, 20); /* wholly free: it goes */
    empty_again();
}

/* The end of a first-class heap looks at its own slabs alone, full ones and those released before included. */
static void release_all(void **state) {
    (void)state;
    take_many(7, hak_class[7].nobj * 3u);
    slab_settle(heap, 7, v, hak_class[7].nobj * 2u);
    assert_int_not_equal(heap->own, 0);
    for (unsigned c = 0; c < HAK_CLASSES_FIXED; c++) {
        take_many(c, hak_class[c].nobj + 1u);
    }
    size_t used = span_used();
    slab_release_all(heap);
    memset(heap->current, 0, sizeof heap->current);
    assert_true(span_used() < used);
    assert_int_equal(heap->own, 0);
    empty_again();
}

static void settle_twice(void) {
    slab_take(heap, 5, v, 4);
    slab_settle(heap, 5, v, 1);
    slab_settle(heap, 5, v, 1);
}
static void settle_twice_in_a_run(void) {
    slab_take(heap, 5, v, 100);
    slab_settle(heap, 5, v + 50, 1);
    slab_settle(heap, 5, v, 100);
}
static void settle_never_taken(void) {
    slab_take(heap, 5, v, 4);
    v[0] += 10 * hak_class[5].size;
    slab_settle(heap, 5, v, 1);
}
static void settle_interior(void) {
    slab_take(heap, 5, v, 4);
    v[0] += 16;
    slab_settle(heap, 5, v, 1);
}
/* Its bit is that of v[2], which comes after it and is innocent. */
static void settle_interior_first(void) {
    uintptr_t mixed[4];
    slab_take(heap, 5, v, 4);
    mixed[0] = v[2] + 16;
    mixed[1] = v[1];
    mixed[2] = v[2];
    mixed[3] = v[0];
    slab_settle(heap, 5, mixed, 4);
}
/* Larger slabs find one as soon as they meet it. */
static void settle_interior_wide(void) {
    slab_take(heap, 40, v, 4);
    v[0] += 16;
    slab_settle(heap, 40, v, 4);
}

static void corruption_dies(void **state) {
    (void)state;
    unit_child(settle_twice, "hakmem: free(): double free or corruption 0x");
    unit_child(settle_twice_in_a_run, "double free or corruption");
    unit_child(settle_never_taken, "double free or corruption");
    unit_child(settle_interior, "hakmem: free(): invalid pointer 0x");
    unit_child(settle_interior_first, "hakmem: free(): invalid pointer 0x");
    unit_child(settle_interior_wide, "hakmem: free(): invalid pointer 0x");
}

static unsigned taken;

static void take_attempt(void) {
    while (taken < 40000) {
        unsigned n = slab_take(heap, 50, v + taken, 20);
        if (!n) {
            return;
        }
        taken += n;
    }
}

static void refusals(void **state) {
    (void)state;
    unit_sweep(take_attempt, false);
    assert_int_equal(taken >= 40000, 1);
    for (unsigned i = 0; i < taken; i += 100) {
        slab_settle(heap, 50, v + i, (unsigned)hak_min(100, taken - i));
    }
    empty_again();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ascending_pops),  cmocka_unit_test(populated),   cmocka_unit_test(long_not_populated),
        cmocka_unit_test(every_class),     cmocka_unit_test(runs),        cmocka_unit_test(random_model),
        cmocka_unit_test(claims),          cmocka_unit_test(absent_last), cmocka_unit_test(present_first),
        cmocka_unit_test(last_block),      cmocka_unit_test(closed),      cmocka_unit_test(release_all),
        cmocka_unit_test(corruption_dies), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, setup, 0);
}
