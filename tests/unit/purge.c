/* purge.c : decay by a fake clock, and what malloc_trim asks for at once. */
#include "cold/purge.h"
#include "api/prefixed.h"
#include "cold/span.h"
#include "diag/stats.h"
#include "hakmem/hakmem.h"
#include "unit.h"

enum { MANY = 20000, SIZE = 1000 };
static void *block[MANY];

static int setup(void **state) {
    (void)state;
    os_fault_clock(100000);
    unit_start();
    purge_tick();
    return hak_option_set("decay", "10000");
}

static void fill_and_free(unsigned keep_every) {
    for (int i = 0; i < MANY; i++) {
        block[i] = malloc(SIZE);
        assert_non_null(block[i]);
        memset(block[i], 0xab, SIZE);
    }
    for (unsigned i = 0; i < MANY; i++) {
        if (!keep_every || i % keep_every) {
            free(block[i]);
            block[i] = 0;
        }
    }
    hak_tls.busy++;
    thread_flush(&hak_tls, hak_tls.heap);
    hak_tls.busy--;
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
                                       cmocka_unit_test(all_at_once),
                                       cmocka_unit_test(keep),
                                       cmocka_unit_test(pages_of_partial_slabs),
                                       cmocka_unit_test(refused),
                                       cmocka_unit_test(large_pages)};
    return cmocka_run_group_tests(tests, setup, 0);
}
