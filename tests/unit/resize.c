/* resize.c : sizes of blocks, and their change without a copy, by way of realloc and malloc_usable_size. */
#include "api/prefixed.h"
#include "cold/door.h"
#include "cold/emergency.h"
#include "cold/huge.h"
#include "diag/stats.h"
#include "hakmem/hakmem.h"
#include "unit.h"

static int setup(void **state) {
    (void)state;
    unit_start();
    return 0;
}

static size_t allocated(void) {
    struct stats s;
    assert_true(stats_get(&s));
    return s.total.allocated;
}

static void fill(unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i += 4099) {
        p[i] = (unsigned char)(i * 31 + 7);
    }
}

static bool filled(const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i += 4099) {
        if (p[i] != (unsigned char)(i * 31 + 7)) {
            return false;
        }
    }
    return true;
}

static const size_t sizes[] = {1,      100,     1024,    5000,    40000,   131072,  131073,
                               300000, 1 << 20, 1200000, 5 << 20, 9000000, 70 << 20};

/* From every size to every other. */
static void contents_stay(void **state) {
    (void)state;
    size_t before = allocated();
    for (unsigned i = 0; i < COUNT(sizes); i++) {
        for (unsigned k = 0; k < COUNT(sizes); k++) {
            unsigned char *p = malloc(sizes[i]), *q;
            assert_non_null(p);
            fill(p, sizes[i]);
            q = realloc(p, sizes[k]);
            assert_non_null(q);
            assert_true(malloc_usable_size(q) >= sizes[k]);
            assert_true(filled(q, hak_min(sizes[i], sizes[k])));
            free(q);
        }
    }
    unit_verify();
    assert_int_equal(allocated(), before);
}

/* A block that grows for ever is not copied for ever: page tables move. */
static void growth(void **state) {
    (void)state;
    size_t n = 1000;
    unsigned char *p = malloc(n);
    fill(p, n);
    hak_trim(0); /* it would grow into a cached mapping */
    unsigned remaps = os_fault_count(OS_REMAP);
    while (n < (size_t)90 << 20) {
        size_t more = n * 3 / 2;
        p = realloc(p, more);
        assert_non_null(p);
        assert_true(filled(p, n));
        fill(p, more);
        n = more;
    }
    assert_true(os_fault_count(OS_REMAP) > remaps + 3);
    while (n > 1000) {
        n = n * 2 / 3;
        p = realloc(p, n);
        assert_true(p && filled(p, n));
    }
    free(p);
    unit_verify();
}

/* Only what grows step by step becomes a mapping, which starts with no page: the arena's have been touched. */
static void step_by_step(void **state) {
    (void)state;
    static const size_t from[] = {100, 100000, 131072, 200000};
    for (unsigned i = 0; i < COUNT(from); i++) {
        unsigned char *p = malloc(from[i]), *wall[1024];
        unsigned walls = 0;
        do { /* until no unit is free behind it */
            assert_non_null(wall[walls] = malloc(from[i]));
        } while (wall[walls++] != p + hak_align_up(from[i], HAK_UNIT) && from[i] > HAK_MEDIUM_MAX &&
                 walls < COUNT(wall));
        fill(p, from[i]);
        p = realloc(p, 1200000);
        assert_int_equal(huge_size(p) != 0, from[i] >= 1200000 / 8);
        assert_true(filled(p, from[i]));
        free(p);
        while (walls) {
            free(wall[--walls]);
        }
    }
}

static void usable(void **state) {
    (void)state;
    assert_int_equal(malloc_usable_size(0), 0);
    for (unsigned i = 0; i < COUNT(sizes); i++) {
        void *p = malloc(sizes[i]);
        size_t n = malloc_usable_size(p);
        assert_true(n >= sizes[i] && n < sizes[i] * 5 / 4 + 4096);
        assert_ptr_equal(realloc(p, n), p); /* all of it may be used */
        free(p);
    }
    char *e = emergency_alloc(77, 1);
    assert_int_equal(malloc_usable_size(e), 77);
    fill((unsigned char *)e, 77);
    e = realloc(e, 500);
    assert_false(emergency_holds(e));
    assert_true(filled((unsigned char *)e, 77));
    free(e);
}

static unsigned char *swept;
static size_t swept_size;

static void attempt(void) {
    size_t want = swept_size < 100       ? 300000
                  : swept_size < 400000  ? 2000000
                  : swept_size < 3000000 ? (size_t)80 << 20
                                         : 50;
    unsigned char *q = realloc(swept, want);
    if (q) {
        swept = q;
        assert_true(filled(swept, hak_min(want, swept_size)));
        fill(swept, want);
        swept_size = want;
    } else {
        assert_true(filled(swept, swept_size)); /* unchanged */
    }
}

static void refusals(void **state) {
    (void)state;
    size_t before = allocated();
    swept_size = 50;
    swept = malloc(swept_size);
    fill(swept, swept_size);
    for (int i = 0; i < 8; i++) {
        unit_sweep(attempt, i % 2);
    }
    free(swept);
    assert_int_equal(allocated(), before);
}

static void garbage_size(void) { malloc_usable_size((char *)malloc(1000000) + HAK_UNIT); }
static void garbage_realloc(void) { free(realloc((char *)malloc(100) + 16, 5000)); }

static void garbage_dies(void **state) {
    (void)state;
    unit_child(garbage_size, "hakmem: malloc_usable_size(): invalid pointer 0x");
    unit_child(garbage_realloc, "hakmem: realloc(): invalid pointer 0x");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(contents_stay), cmocka_unit_test(growth),
                                       cmocka_unit_test(step_by_step),  cmocka_unit_test(usable),
                                       cmocka_unit_test(refusals),      cmocka_unit_test(garbage_dies)};
    return cmocka_run_group_tests(tests, setup, 0);
}
