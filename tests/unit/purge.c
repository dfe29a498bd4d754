/* purge.c : decay by a fake clock, and what malloc_trim asks for at once. */
#include "cold/purge.h"
#include "api/prefixed.h"
#include "cold/large.h"
#include "cold/span.h"
#include "cold/thp.h"
#include "diag/stats.h"
#include "hakmem/hakmem.h"
#include "layout/super.h"
#include "unit.h"

enum { MANY = 40000, SIZE = 1000 };
static void *block[MANY];

static int setup(void **state) {
    (void)state;
    os_fault_clock(100000);
    unit_start();
    purge_tick();
    return hak_option_set("decay", "10000");
}

static void free_but(unsigned keep_every) {
    for (unsigned i = 0; i < MANY; i++) {
        if (!keep_every || i % keep_every) {
            free(block[i]);
            block[i] = 0;
        }
    }
    unit_flush();
}

static void fill_and_free(unsigned keep_every) {
    for (int i = 0; i < MANY; i++) {
        block[i] = malloc(SIZE);
        assert_non_null(block[i]);
        memset(block[i], 0xab, SIZE);
    }
    free_but(keep_every);
}

static void free_rest(void) {
    for (unsigned i = 0; i < MANY; i++) {
        free(block[i]);
        block[i] = 0;
    }
}

/* Nothing goes before the decay time (10 s), all of it after. */
static void decay(void **state) {
    (void)state;
    fill_and_free(0);
    size_t dirty = span_dirty(), purged = os_fault_purged();
    assert_true(dirty * HAK_UNIT > (size_t)MANY * SIZE / 2);
    for (int i = 0; i < 90; i++) {
        os_fault_advance(100);
        purge_tick();
    }
    assert_int_equal(span_dirty(), dirty);
    assert_int_equal(os_fault_purged(), purged);
    for (int i = 0; i < 30; i++) {
        os_fault_advance(100);
        purge_tick();
    }
    assert_int_equal(span_dirty(), 0);
    assert_true(os_fault_purged() >= purged + dirty * HAK_UNIT);
    unit_verify();
}

/* The clock of the machine may start anywhere, even just before it wraps. */
static void wrap(void **state) {
    (void)state;
    os_fault_clock(((uint64_t)UINT32_MAX << 4) - 3000);
    purge_tick();
    fill_and_free(0);
    size_t dirty = span_dirty();
    assert_true(dirty > 0);
    os_fault_advance(5000);
    purge_tick();
    assert_int_equal(span_dirty(), dirty);
    os_fault_advance(7000);
    purge_tick();
    assert_int_equal(span_dirty(), 0);
}

/* When much more is free than in use, what is old goes as fast as ticks come, and what is young stays: the program may want it again. */
static void collapse(void **state) {
    (void)state;
    purge_all(0);
    uint32_t many = (uint32_t)hak_max(4 * span_used(), (64u << 20) / HAK_UNIT);
    bool zeroed;
    uint32_t u = span_alloc(many, 1, &zeroed);
    assert_true(u != 0);
    purge_tick();
    span_free(u, many, true);
    for (int i = 0; i < 100; i++) {
        purge_tick();
    }
    assert_true(span_dirty() >= many);
    os_fault_advance(25000);
    for (int i = 0; i < 20; i++) {
        purge_tick();
    }
    assert_true(span_dirty() <= span_used() / 2 + many / 16);
    purge_all(0);
    unit_verify();
}

static void refill(void) {
    for (unsigned i = 0; i < MANY; i++) {
        block[i] = block[i] ? block[i] : malloc(SIZE);
    }
}

static void forget_the_past(void) {
    os_fault_advance(25000);
    purge_tick();
}

enum { LARGE = 16, BYTES = HAK_SUPER / 2 };

static size_t paid_for_growth(void) {
    void *large[LARGE];
    size_t before = os_fault_purged();
    for (int i = 0; i < LARGE; i++) {
        large[i] = malloc(BYTES);
    }
    size_t paid = os_fault_purged() - before;
    assert_true(paid <= LARGE * BYTES + HAK_SUPER);
    for (int i = 0; i < LARGE; i++) {
        free(large[i]);
    }
    return paid;
}

/* A large block takes new memory: as much as the process grew by, above what was resident, goes of the pages that lie idle between live blocks. What
 * grows into memory that was there already takes nothing. */
static void growth_is_paid_for(void **state) {
    (void)state;
    purge_all(0);
    forget_the_past();
    fill_and_free(50);
    free(malloc(BYTES)); /* the slabs are paid for */
    refill();
    forget_the_past();
    free_but(50);
    assert_true(paid_for_growth() >= LARGE / 2 * BYTES);
    assert_int_equal(paid_for_growth(), 0);
    assert_true(purge_all(0) > HAK_SUPER); /* there was more to give */
    unit_verify();
    free_rest();
}

/* The same, but what was given for it was needed again: nothing is given until that is forgotten. */
static void what_comes_back_stays(void **state) {
    (void)state;
    for (int needed = 0; needed < 2; needed++) {
        purge_all(0);
        forget_the_past();
        fill_and_free(50);
        purge_all(0);
        forget_the_past();
        size_t much = span_demand() * HAK_UNIT * 2 / 5;
        for (unsigned i = 0; i < MANY; i++) {
            size_t back = needed ? much : much / 2;
            block[i] = block[i] ? block[i] : i < back / SIZE ? malloc(SIZE) : 0;
        }
        free_but(50);
        assert_int_equal(paid_for_growth() != 0, !needed);
        unit_verify();
        free_rest();
    }
}

static void all_at_once(void **state) {
    (void)state;
    fill_and_free(0);
    assert_true(purge_all(0) > 0);
    assert_int_equal(span_dirty(), 0);
    assert_int_equal(purge_all(0), 0); /* nothing is left */
    unit_verify();
}

static void keep(void **state) {
    (void)state;
    fill_and_free(0);
    size_t dirty = span_dirty();
    purge_all(4 * HAK_UNIT);
    assert_true(span_dirty() <= 4 && dirty > 8);
    purge_all(0);
}

/* Pages of partial slabs go too; what lives keeps its bytes, what comes back can be used. */
static void pages_of_partial_slabs(void **state) {
    (void)state;
    fill_and_free(40);
    size_t purged = os_fault_purged();
    size_t done = purge_all(0);
    assert_true(done >= (size_t)MANY * SIZE / 2);
    assert_int_equal(os_fault_purged() - purged, done);
    unit_verify();
    for (unsigned i = 0; i < MANY; i += 40) {
        for (int k = 0; k < SIZE; k++) {
            assert_int_equal(((unsigned char *)block[i])[k], 0xab);
        }
    }
    struct stats s;
    assert_true(stats_get(&s));
    assert_true(s.total.resident < (size_t)MANY * SIZE / 2);
    for (unsigned i = 0; i < MANY; i++) {
        if (i % 40) {
            block[i] = malloc(SIZE);
            memset(block[i], 1, SIZE);
        }
    }
    unit_verify();
    free_rest();
    unit_verify();
}

/* Locked memory cannot be given back: it stays, and stays usable. */
static void refused(void **state) {
    (void)state;
    fill_and_free(30);
    os_fault_break(OS_PURGE, true);
    purge_all(0);
    unit_verify();
    os_fault_break(OS_PURGE, false);
    free_rest();
    purge_all(0);
    unit_verify();
}

static void ticks(unsigned n, uint64_t ms) {
    while (n--) {
        os_fault_advance(ms);
        purge_tick();
    }
}

/* Pages of partial slabs decay as spans do, those of other threads' heaps too, and once. */
static void partial_slabs_decay(void **state) {
    (void)state;
    purge_all(0);
    fill_and_free(40);
    size_t purged = os_fault_purged();
    ticks(90, 100);
    assert_int_equal(os_fault_purged(), purged);
    ticks(30, 100);
    size_t done = os_fault_purged() - purged;
    assert_true(done >= (size_t)MANY * SIZE / 2);
    unit_verify();
    for (unsigned i = 0; i < MANY; i += 40) {
        assert_int_equal(((unsigned char *)block[i])[SIZE - 1], 0xab);
    }
    purged = os_fault_purged();
    ticks(200, 100);
    assert_int_equal(os_fault_purged(), purged); /* what is gone is not asked for again */
    free(block[40]); /* one block more in a slab that was looked at: its pages count again, once they are old */
    block[40] = 0;
    thread_flush(&hak_tls, hak_tls.heap);
    ticks(200, 100);
    assert_true(os_fault_purged() > purged);
    free_rest();
    unit_verify();
}

/* A slab that blocks come from stays whole: old is what nobody used. */
static void used_slabs_stay(void **state) {
    (void)state;
    purge_all(0);
    fill_and_free(0);
    void *p[1000];
    unsigned asked = 0;
    for (size_t round = 0; round < 500; round++) { /* most of a minute */
        for (size_t i = 0; i < COUNT(p); i++) {
            p[i] = malloc(SIZE);
        }
        for (size_t i = 0; i < COUNT(p); i++) {
            free(p[i]);
        }
        unit_flush();
        ticks(1, 100);
        asked = round == 300 ? os_fault_count(OS_PURGE) : asked; /* by now all else is gone */
    }
    assert_int_equal(os_fault_count(OS_PURGE), asked);
    unit_verify();
}

/* One tick gives back a bounded amount, and says that there is more. */
static void bounded(void **state) {
    (void)state;
    purge_all(0);
    fill_and_free(40);
    os_fault_advance(20000);
    unsigned calls = os_fault_count(OS_PURGE);
    assert_true(purge_tick());
    assert_in_range(os_fault_count(OS_PURGE) - calls, 32, 512 * 16);
    size_t purged = os_fault_purged();
    assert_false(purge_tick()); /* not in the same step */
    assert_int_equal(os_fault_purged(), purged);
    ticks(1, 20);
    assert_true(os_fault_purged() > purged);
    free_rest();
    purge_all(0);
}

/* A huge page stays whole while over three quarters of it are in use, and goes when less is. */
static void huge_pages_stay(void **state) {
    enum { FEW_PAGES = 100 };
    (void)state;
    purge_all(0);
    for (uint32_t i = 0; i < hak_arena.limit / HAK_SUPER_UNITS; i++) {
        super_at(i)->huge = THP_HUGE;
    }
    fill_and_free(0); /* no slab is wanted but these */
    for (unsigned i = 0; i < MANY; i++) {
        block[i] = malloc(SIZE);
    }
    for (unsigned i = 0; i < MANY; i++) { /* a page in 16 loses its blocks */
        if (i / 4 % 16 == 0) {
            free(block[i]);
            block[i] = 0;
        }
    }
    unit_flush();
    size_t purged = os_fault_purged();
    ticks(300, 100);
    size_t few = os_fault_purged() - purged;
    free_but(40);
    ticks(300, 100);
    assert_true(os_fault_purged() - purged - few > (size_t)MANY * SIZE / 2);
    assert_true(few <= FEW_PAGES * 4096); /* at the ends of the run, where a super holds little else */
    for (uint32_t i = 0; i < hak_arena.limit / HAK_SUPER_UNITS; i++) {
        super_at(i)->huge = THP_NONE;
    }
    free_rest();
    unit_verify();
}

/* Where something is freed now and then in each super none looks old: what was not needed for a while goes all the same; what was, stays. */
static void demand(void **state) {
    (void)state;
    enum { UNITS = 256 };
    uint32_t run[UNITS], zeroed_runs = 0;
    purge_all(0);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < UNITS; i++) {
            bool zeroed;
            run[i] = span_alloc(1, 1, &zeroed);
            zeroed_runs += zeroed;
        }
        for (int i = 0; i < UNITS; i++) {
            span_free(run[i], 1, true);
        }
        size_t kept = span_dirty();
        ticks(50, 100); /* half the decay time: all is kept for the next round */
        assert_int_equal(span_dirty(), kept);
    }
    assert_in_range(zeroed_runs, 1, UNITS);
    for (int i = 0; i < 300; i++) {
        for (int k = 0; k < UNITS; k += 16) {
            super_at(run[k] / HAK_SUPER_UNITS)->epoch = purge_epoch();
        }
        struct stats s;
        stats_get(&s); /* to read statistics changes nothing */
        ticks(1, 100);
    }
    assert_true(span_dirty() <= UNITS / 8);
    unit_verify();
    purge_all(0);
}

/* The same, but blocks longer than a superslab are in use: a third as much as they hold stays. */
static void long_blocks(void **state) {
    (void)state;
    enum { BLOCKS = 12, LIVE = 8 };
    for (size_t length = 1 << 20; length <= 3 << 20; length += 2 << 20) {
        void *p[BLOCKS];
        bool zeroed, is_long = length > HAK_SUPER;
        purge_all(0);
        for (int i = 0; i < BLOCKS; i++) {
            p[i] = large_alloc(length, 1, 0, &zeroed);
            assert_non_null(p[i]);
        }
        size_t long_units = large_wide();
        assert_int_equal(long_units, is_long ? BLOCKS * (length >> HAK_UNIT_SHIFT) : 0);
        for (int i = LIVE; i < BLOCKS; i++) {
            assert_true(large_free((uint32_t)unit_of(p[i])));
        }
        assert_int_equal(large_wide(), long_units / BLOCKS * LIVE);
        for (int i = 0; i < 300; i++) {
            for (int k = LIVE; k < BLOCKS; k++) {
                for (size_t at = 0; at < length; at += HAK_SUPER / 2) {
                    super_at(unit_of((char *)p[k] + at) / HAK_SUPER_UNITS)->epoch = purge_epoch();
                }
                super_at(unit_of((char *)p[k] + length - 1) / HAK_SUPER_UNITS)->epoch = purge_epoch();
            }
            ticks(1, 100);
        }
        assert_int_equal(span_dirty(), large_wide() / 3);
        assert_true(!is_long || large_resize((uint32_t)unit_of(p[0]), length / 2));
        assert_int_equal(large_wide(), is_long ? (LIVE - 1) * (length >> HAK_UNIT_SHIFT) : 0);
        for (int i = 0; i < LIVE; i++) {
            assert_true(large_free((uint32_t)unit_of(p[i])));
        }
        assert_int_equal(large_wide(), 0);
    }
    unit_verify();
    purge_all(0);
}

/* Blocks of many lengths come and go and seldom fit where others were: what is given back comes back, so that as much stays, until they stop. */
static void churn(void **state) {
    (void)state;
    enum { LIVE = 60, DECAY_MS = 10000, STEPS = 6 * DECAY_MS / 10, WARM_UP = STEPS / 3, AFTER = 5 * DECAY_MS / 100 };
    uint32_t at[LIVE] = {0}, seed = 1;
    size_t purged = 0;
    purge_all(0);
    for (int i = 0; i < STEPS; i++) {
        bool zeroed;
        seed = seed * 1664525 + 1013904223;
        uint32_t k = (seed >> 8) % LIVE, units = 4 + (seed >> 16) % 28;
        if (at[k]) {
            assert_true(large_free(at[k]));
        }
        void *p = large_alloc((size_t)units << HAK_UNIT_SHIFT, 1, 0, &zeroed);
        assert_non_null(p);
        at[k] = (uint32_t)unit_of(p);
        purged = i == WARM_UP ? os_fault_purged() : purged;
        ticks(1, 10);
    }
    size_t given = os_fault_purged() - purged, used = span_used() * HAK_UNIT;
    assert_true(span_dirty() <= span_demand() / 2 + span_demand() - span_used());
    for (int i = 0; i < AFTER; i++) {
        for (uint32_t u = 1; u < hak_arena.limit / HAK_SUPER_UNITS; u++) {
            super_at(u)->epoch = purge_epoch();
        }
        ticks(1, 100);
    }
    assert_int_equal(span_dirty(), 0);
    assert_true(given < 2 * used);
    for (int i = 0; i < LIVE; i++) {
        if (at[i]) {
            assert_true(large_free(at[i]));
        }
    }
    unit_verify();
    purge_all(0);
}

static void large_pages(void **state) {
    (void)state;
    os_fault_page_size(16384);
    fill_and_free(40);
    purge_all(0);
    unit_verify();
    for (unsigned i = 0; i < MANY; i += 40) {
        assert_int_equal(((unsigned char *)block[i])[SIZE - 1], 0xab);
    }
    free_rest();
    os_fault_page_size(4096);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(decay),
                                       cmocka_unit_test(wrap),
                                       cmocka_unit_test(collapse),
                                       cmocka_unit_test(growth_is_paid_for),
                                       cmocka_unit_test(what_comes_back_stays),
                                       cmocka_unit_test(all_at_once),
                                       cmocka_unit_test(keep),
                                       cmocka_unit_test(pages_of_partial_slabs),
                                       cmocka_unit_test(refused),
                                       cmocka_unit_test(partial_slabs_decay),
                                       cmocka_unit_test(used_slabs_stay),
                                       cmocka_unit_test(bounded),
                                       cmocka_unit_test(huge_pages_stay),
                                       cmocka_unit_test(demand),
                                       cmocka_unit_test(long_blocks),
                                       cmocka_unit_test(churn),
                                       cmocka_unit_test(large_pages)};
    return cmocka_run_group_tests(tests, setup, 0);
}
