/* shared.c : the first blocks of a class of a later thread come from the shared heap. */
#include "cold/shared.h"
#include "api/prefixed.h"
#include "cold/magazine.h"
#include "cold/slab.h"
#include "unit.h"
#include <pthread.h>

static int setup(void **state) {
    (void)state;
    unit_start();
    return 0;
}

static uint32_t owner_of(const void *p) { return hak_arena.map[unit_of(p)] >> 8; }

static void *second_thread(void *arg) {
    unsigned *shared_blocks = arg;
    void *p[200];
    uint32_t id = heap_shared()->id;
    for (unsigned i = 0; i < 200; i++) {
        p[i] = malloc(96);
        shared_blocks[0] += owner_of(p[i]) == id;
        shared_blocks[1] += owner_of(p[i]) == hak_tls.heap->id;
    }
    for (unsigned i = 0; i < 200; i++) {
        free(p[i]);
    }
    return 0;
}

static void first_few(void **state) {
    (void)state;
    unsigned n[2] = {0, 0};
    pthread_t t;
    void *p = malloc(96);
    assert_int_equal(owner_of(p), 1); /* the first thread never shares */
    free(p);
    assert_int_equal(pthread_create(&t, 0, second_thread, n), 0);
    pthread_join(t, 0);
    assert_true(n[0] >= 1 && n[0] <= 8);
    assert_int_equal(n[0] + n[1], 200);
    unit_verify();
}

static void take(void **state) {
    (void)state;
    struct heap *h = heap_acquire(HEAP_FIRST_CLASS);
    void *p[100];
    for (unsigned i = 0; i < 100; i++) {
        p[i] = shared_take(h, i % HAK_CLASSES_FIXED);
        assert_int_equal(owner_of(p[i]), h->id);
    }
    unit_verify();
    for (unsigned i = 0; i < 100; i++) {
        free(p[i]); /* goes straight home */
    }
    unit_verify();
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        slab_drop_current(h, c);
    }
    assert_int_equal(h->slab_bytes, 0);
    heap_release(h);
}

static struct heap *swept;
static void *got;

static void attempt(void) { got = got ? got : shared_take(swept, 71); }

static void refusals(void **state) {
    (void)state;
    swept = heap_acquire(HEAP_FIRST_CLASS);
    unit_sweep(attempt, true);
    assert_non_null(got);
    free(got);
    slab_drop_current(swept, 71);
    heap_release(swept);
    unit_verify();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(first_few), cmocka_unit_test(take), cmocka_unit_test(refusals)};
    return cmocka_run_group_tests(tests, setup, 0);
}
