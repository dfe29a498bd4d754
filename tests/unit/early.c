/* early.c : a program's first blocks, and the way from them to an arena. The tests run in this order: a program begins once. */
#include "cold/early.h"
#include "cold/door.h"
#include "cold/emergency.h"
#include "cold/huge.h"
#include "layout/lookup.h"
#include "unit.h"
#include <malloc.h>
#include <pthread.h>

#include "api/prefixed.h"

enum { ROOM = 64 << 10 };

static struct early_stats now(void) {
    struct early_stats s;
    early_stats_get(&s);
    return s;
}

/* Without memory for the first mapping everything is as in a program that has no first blocks. */
static void start_refused(void) {
    os_fault_refuse(1, false);
    void *p = malloc(100);
    if (!p || early_holds(p) || hak_mode != HAK_MODE_ON) {
        abort();
    }
}

static void refused(void **state) {
    (void)state;
    unit_child(start_refused, 0);
}

static void door(void **state) {
    (void)state;
    char *p = malloc(100), *q, *r;
    assert_int_equal(hak_mode, HAK_MODE_EARLY);
    assert_true(early_holds(p));
    assert_int_equal(hak_word_hot(p), 0);
    assert_true(malloc_usable_size(p) >= 100 && malloc_usable_size(p) < 116);
    q = realloc(p, 5000); /* nothing follows it */
    assert_ptr_equal(q, p);
    assert_true(malloc_usable_size(q) >= 5000);
    r = malloc(10);
    memset(q, 7, 5000);
    p = realloc(q, malloc_usable_size(q) + 1);
    assert_ptr_not_equal(p, q);
    assert_int_equal(p[0] + p[4999], 14);
    assert_ptr_equal(realloc(p, 1), p);
    free(p);
    assert_ptr_equal(malloc(20), p); /* it was the last one */
    free(r);
    assert_ptr_not_equal(malloc(10), r); /* it was not */
    q = calloc(1, 3000);
    for (int i = 0; i < 3000; i++) {
        assert_int_equal(q[i], 0);
    }
    q = aligned_alloc(256, 100);
    assert_true(early_holds(q) && (uintptr_t)q % 256 == 0);
    free(q);
    assert_int_equal(hak_mode, HAK_MODE_EARLY);
}

/* What is larger is a mapping. */
static void mappings(void **state) {
    (void)state;
    size_t live, count, kept;
    char *p = malloc(100000), *q;
    assert_true(huge_size(p) >= 100000);
    memset(p, 1, 100000);
    q = realloc(p, 200000);
    assert_int_equal(q[0] + q[99999], 2);
    free(q);
    assert_int_equal(huge_size(q), 0);
    p = realloc(malloc(400000), 3000000);
    assert_true(huge_size(p) >= 3000000);
    free(p); /* kept for the next one it would stay: nobody looks at the clock */
    huge_stats(&live, &count, &kept);
    assert_int_equal(live + count + kept, 0);
    p = aligned_alloc(4096, 200000);
    assert_true(huge_size(p) >= 200000 && (uintptr_t)p % 4096 == 0);
    assert_true(malloc_usable_size(p) >= 200000);
    free(p);
    assert_int_equal(hak_mode, HAK_MODE_EARLY);
}

static void statistics(void **state) {
    (void)state;
    struct early_stats before = now();
    void *p = early_alloc(1000, 1), *q = early_alloc(2000, 512);
    assert_int_equal(now().room, ROOM);
    assert_int_equal(now().live, before.live + early_size(p, "") + early_size(q, ""));
    assert_true(now().used >= before.used + 3000);
    early_free(p);
    assert_int_equal(now().live, before.live + early_size(q, ""));
    early_free(q);
    assert_int_equal(now().live, before.live);
}

static void *block;
static void free_twice(void) {
    free(block);
    free(block);
}
static void free_inner(void) { free((char *)block + 16); }
static void free_odd(void) { free((char *)block + 1); }
static void resize_freed(void) {
    free(block);
    block = realloc(block, 10);
}

static void misuse(void **state) {
    (void)state;
    block = calloc(1, 100);
    assert_true(early_holds(block));
    void *next = malloc(1);
    unit_child(free_twice, "free(): double free or corruption 0x");
    unit_child(free_inner, "free(): invalid pointer 0x");
    unit_child(free_odd, "free(): invalid pointer 0x");
    unit_child(resize_freed, "realloc(): double free or corruption 0x");
    free(next);
    unit_child(free_twice, "free(): double free or corruption 0x"); /* the last one */
    free(block);
}

/* A call from a signal handler that met the allocator. */
static void inside(void **state) {
    (void)state;
    void *mine = malloc(100);
    hak_tls.busy++;
    void *p = malloc(100), *q = malloc(100000);
    assert_true(emergency_holds(p) && emergency_holds(q));
    free(p);
    free(q);
    free(mine);
    hak_tls.busy--;
    assert_int_equal(hak_mode, HAK_MODE_EARLY);
}

/* Blocks of before live on; each is distinct, and nothing starts over. */
static void enough(void **state) {
    (void)state;
    char *p[2000];
    unsigned first = 0;
    for (unsigned i = 0; i < COUNT(p); i++) {
        p[i] = malloc(40);
        assert_non_null(p[i]);
        memset(p[i], (int)i, 40);
        first += early_holds(p[i]);
        assert_int_equal(early_holds(p[i]), first == i + 1);
    }
    assert_true(first > 100 && first < 1100);
    assert_int_equal(hak_mode, HAK_MODE_ON);
    assert_non_null(hak_tls.heap);
    assert_null(early_alloc(ROOM, 1));
    assert_null(early_alloc(SIZE_MAX, 1));
    assert_null(early_alloc(1, SIZE_MAX / 2 + 1));
    for (unsigned i = 0; i < COUNT(p); i++) {
        assert_int_equal(p[i][0], (char)i);
        assert_int_equal(p[i][39], (char)i);
        p[i] = i % 2 ? realloc(p[i], 41 + i) : p[i];
        assert_int_equal(p[i][39], (char)i);
        free(p[i]);
    }
    block = malloc(1);
    assert_false(early_holds(block));
    free(block);
    unit_verify();
}

int main(void) {
    os_fault_threaded(false);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused), cmocka_unit_test(door),   cmocka_unit_test(mappings), cmocka_unit_test(statistics),
        cmocka_unit_test(misuse),  cmocka_unit_test(inside), cmocka_unit_test(enough)};
    return RUN(tests);
}
