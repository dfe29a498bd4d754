/* sites.c : counts by call site, from many threads, past the table's end. */
#include "diag/sites.h"
#include "unit.h"
#include <pthread.h>

static char place[20000];

static struct hak_site find(const void *site) {
    static struct hak_site all[SITES_MAX + 1];
    size_t n = sites_copy(all, COUNT(all));
    assert_true(n <= COUNT(all));
    for (size_t i = 0; i < n; i++) {
        if (all[i].site == site) {
            return all[i];
        }
    }
    return (struct hak_site){0};
}

static void none_yet(void **state) {
    (void)state;
    struct hak_site s;
    size_t cursor = 0;
    assert_int_equal(sites_copy(0, 0), 0);
    assert_false(sites_next(&cursor, &s));
    assert_false(sites_next(&cursor, &s));
}

/* Without memory for the table everything is counted under NULL. */
static void no_memory(void **state) {
    (void)state;
    os_fault_refuse(1, true);
    sites_count_alloc(&place[0], 10);
    os_fault_refuse(0, false);
    assert_int_equal(find(0).allocs, 1);
    assert_int_equal(find(0).alloc_bytes, 10);
    assert_int_equal(sites_copy(0, 0), 1);
}

static void counts(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        sites_count_alloc(&place[i % 3], 10);
        sites_count_free(&place[1], 7);
    }
    assert_int_equal(find(&place[0]).allocs, 34);
    assert_int_equal(find(&place[1]).alloc_bytes, 330);
    assert_int_equal(find(&place[1]).frees, 100);
    assert_int_equal(find(&place[1]).free_bytes, 700);
    assert_int_equal(find(&place[2]).frees, 0);
}

static void *hammer(void *arg) {
    (void)arg;
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 3000; i++) {
            sites_count_alloc(&place[i], 1);
        }
    }
    return 0;
}

static void threads(void **state) {
    (void)state;
    pthread_t t[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&t[i], 0, hammer, 0), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(t[i], 0);
    }
    assert_int_equal(find(&place[2999]).allocs, 40);
    assert_int_equal(find(&place[0]).allocs, 34 + 40);
    assert_int_equal(sites_copy(0, 0), 3001);
}

static void overflow(void **state) {
    (void)state;
    for (size_t i = 0; i < COUNT(place); i++) {
        sites_count_alloc(&place[i], 3);
    }
    assert_int_equal(sites_copy(0, 0), SITES_MAX + 1);
    assert_int_equal(find(0).allocs, 1 + COUNT(place) - SITES_MAX);
    assert_int_equal(find(&place[2999]).allocs, 41);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(none_yet), cmocka_unit_test(no_memory),
                                       cmocka_unit_test(counts), cmocka_unit_test(threads), cmocka_unit_test(overflow)};
    return RUN(tests);
}
