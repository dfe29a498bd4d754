/* span.c : the central allocator against a model; alignment, zeroed, dirty, extension, refusals. */
#include "cold/span.h"
#include "cold/purge.h"
#include "layout/super.h"
#include "unit.h"

enum { LIVE = 200 };

struct run {
    uint32_t unit, units;
};

/* What the verifier needs: a span is a large block in the map. */
static void mark(struct run r, bool on) {
    hak_arena.slabs[r.unit] =
        (struct slab){.cls = HAK_CLASS_LARGE, .bucket = SLAB_UNLISTED, .large_units = r.units, .large_pages = 1};
    hak_arena.map[r.unit] = on ? HAK_CLASS_LARGE : 0;
}

static struct run take(uint32_t units, uint32_t align) {
    bool zeroed = false;
    struct run r = {span_alloc(units, align, &zeroed), units};
    if (r.unit) {
        char *p = unit_address(r.unit);
        assert_true(r.unit % align == 0);
        assert_true((uintptr_t)p % (align * HAK_UNIT) == 0);
        for (size_t i = 0; zeroed && i < units; i++) {
            assert_int_equal(p[i * HAK_UNIT] | p[i * HAK_UNIT + HAK_UNIT - 1], 0);
        }
        for (size_t i = 0; i < units; i++) {
            p[i * HAK_UNIT] = p[i * HAK_UNIT + HAK_UNIT - 1] = 1;
        }
        mark(r, true);
    }
    return r;
}

static void give(struct run r) {
    mark(r, false);
    span_free(r.unit, r.units, true);
}

static void random_runs(void **state) {
    (void)state;
    static struct run live[LIVE];
    uint64_t seed = 1;
    for (int i = 0; i < 20000; i++) {
        struct run *r = &live[unit_below(&seed, LIVE)];
        if (r->unit) {
            give(*r);
            r->unit = 0;
        } else {
            uint32_t units = (uint32_t)(unit_below(&seed, 20) ? 1 + unit_below(&seed, 8) : 1 + unit_below(&seed, 150));
            *r = take(units, units <= 32 ? 1u << unit_below(&seed, 6) : 1);
            assert_true(r->unit != 0);
        }
        if (i % 997 == 0) {
            unit_verify();
        }
    }
    for (int i = 0; i < LIVE; i++) {
        if (live[i].unit) {
            give(live[i]);
        }
    }
    unit_verify();
    assert_int_equal(span_used(), 0);
}

static void extend(void **state) {
    (void)state;
    struct run r = take(8, 8);
    span_free(r.unit + 2, 6, true);
    hak_arena.slabs[r.unit].large_units = r.units = 2;
    uint32_t free_after = 0;
    for (uint32_t u = r.unit + 2; u / HAK_SUPER_UNITS == r.unit / HAK_SUPER_UNITS; u++) {
        free_after += super_at(u / HAK_SUPER_UNITS)->free >> (u % HAK_SUPER_UNITS) & 1;
    }
    assert_true(free_after > 4);
    assert_true(span_extend(r.unit, 2, 3));
    hak_arena.slabs[r.unit].large_units = r.units = 5;
    unit_verify();
    struct run next = take(1, 1);
    if (next.unit == r.unit + 5) {
        assert_false(span_extend(r.unit, 5, 1));
    }
    assert_false(span_extend(r.unit, 5, 10000000));
    unit_verify();
    span_free(r.unit + 4, 1, true); /* the tail alone */
    hak_arena.slabs[r.unit].large_units = r.units = 4;
    unit_verify();
    give(r);
    give(next);
    unit_verify();
}

static void dirty(void **state) {
    (void)state;
    struct run r = take(40, 1);
    give(r);
    size_t before = span_dirty();
    assert_true(before >= 40);
    uint32_t cursor = 0, units = 0, u;
    assert_int_equal(span_claim_dirty(&cursor, super_at(r.unit / 32)->epoch - 1, &units), 0); /* all are younger */
    cursor = 0;
    while ((u = span_claim_dirty(&cursor, UINT32_MAX, &units)) != 0) {
        assert_int_equal(os_purge(unit_address(u), units * HAK_UNIT), 0);
        span_free(u, units, false);
    }
    assert_int_equal(span_dirty(), 0);
    unit_verify();
    bool zeroed = false;
    r.unit = span_alloc(40, 1, &zeroed);
    assert_true(r.unit && zeroed);
    mark(r, true);
    give(r);
    struct span_stats s;
    span_stats_get(&s);
    assert_int_equal(s.used + s.dirty + s.clean + 1, hak_arena.limit);
}

/* Runs longer than any memory: NULL, and the state is whole. */
static void too_much(void **state) {
    (void)state;
    bool zeroed;
    assert_int_equal(span_alloc(UINT32_C(1) << 26, 1, &zeroed), 0);
    unit_verify();
}

static struct run swept[64];

static void grow_attempt(void) {
    for (unsigned i = 0; i < COUNT(swept); i++) {
        if (!swept[i].unit) {
            swept[i] = take(30, 1);
        }
    }
}

static void refusals(void **state) {
    (void)state;
    unit_sweep(grow_attempt, false);
    for (unsigned i = 0; i < COUNT(swept); i++) {
        if (swept[i].unit) {
            give(swept[i]);
        }
    }
    unit_verify();
}

static int setup(void **state) {
    (void)state;
    unit_start();
    purge_tick(); /* the purge clock stands at the fake clock's second */
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_runs), cmocka_unit_test(extend), cmocka_unit_test(dirty),
                                       cmocka_unit_test(too_much), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, setup, 0);
}
