/* heap.c : ids, reuse, the shared heap, many heaps, refusals. */
#include "cold/heap.h"
#include "cold/meta.h"
#include "unit.h"
#include <pthread.h>

static int setup(void **state) {
    (void)state;
    unit_start();
    return 0;
}

static void ids(void **state) {
    (void)state;
    assert_null(heap_by_id(0));
    assert_null(heap_by_id(heap_count() + 1));
    assert_null(heap_by_id(UINT32_MAX));
    assert_null(heap_by_id((1u << HAK_HEAP_BITS) - 1));
    for (uint32_t id = 1; id <= heap_count(); id++) {
        assert_int_equal(heap_by_id(id)->id, id);
    }
    assert_ptr_equal(heap_by_id(hak_tls.heap->id), hak_tls.heap);
}

/* The last one released is the first one reused, of its kind. */
static void reuse(void **state) {
    (void)state;
    struct heap *a = heap_acquire(HEAP_FIRST_CLASS), *b = heap_acquire(HEAP_FIRST_CLASS),
                *t = heap_acquire(HEAP_THREAD);
    assert_true(a && b && t && a != b);
    assert_int_equal(a->kind, HEAP_FIRST_CLASS);
    assert_int_equal(t->kind, HEAP_THREAD);
    heap_release(a);
    heap_release(t);
    heap_release(b);
    assert_true(a->idle && b->idle && t->idle);
    assert_ptr_equal(heap_acquire(HEAP_FIRST_CLASS), b);
    assert_ptr_equal(heap_acquire(HEAP_THREAD), t);
    assert_ptr_equal(heap_acquire(HEAP_FIRST_CLASS), a);
    assert_false(a->idle || b->idle || t->idle);
    heap_release(a);
    heap_release(b);
    heap_release(t);
}

/* Over the leaves of the registry. */
static void many(void **state) {
    (void)state;
    enum { MANY = 1500 };
    static struct heap *h[MANY];
    for (int i = 0; i < MANY; i++) {
        assert_non_null(h[i] = heap_acquire(HEAP_FIRST_CLASS));
        assert_ptr_equal(heap_by_id(h[i]->id), h[i]);
    }
    unit_verify();
    size_t bytes = meta_bytes();
    for (int i = 0; i < MANY; i++) {
        heap_release(h[i]);
    }
    for (int i = 0; i < MANY; i++) {
        heap_acquire(HEAP_FIRST_CLASS);
    }
    assert_int_equal(meta_bytes(), bytes);
}

static void *acquire_shared(void *arg) {
    (void)arg;
    return heap_shared();
}

static void shared_is_one(void **state) {
    (void)state;
    pthread_t t[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&t[i], 0, acquire_shared, 0), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *h;
        pthread_join(t[i], &h);
        assert_ptr_equal(h, heap_shared());
    }
}

static void *churn(void *arg) {
    (void)arg;
    for (int i = 0; i < 3000; i++) {
        struct heap *h = heap_acquire(HEAP_THREAD);
        if (!h || h->idle || heap_by_id(h->id) != h) {
            return &churn;
        }
        heap_release(h);
    }
    return 0;
}

static void threads(void **state) {
    (void)state;
    pthread_t t[4];
    uint32_t before = heap_count();
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&t[i], 0, churn, 0), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(t[i], &wrong);
        assert_null(wrong);
    }
    assert_true(heap_count() <= before + 4);
}

static unsigned made;

static void attempt(void) {
    while (made < 2000 && heap_acquire(HEAP_FIRST_CLASS)) {
        made++;
    }
}

static void refusals(void **state) {
    (void)state;
    unit_sweep(attempt, true);
    assert_int_equal(made, 2000);
}

static void locks(void **state) {
    (void)state;
    heap_lock_all();
    assert_false(hak_lock_try(&heap_by_id(1)->lock));
    assert_false(hak_lock_try(&heap_by_id(heap_count())->lock));
    heap_unlock_all();
    unit_verify();
    heap_lock_all();
    heap_child();
    assert_true(hak_lock_try(&heap_by_id(1)->lock));
    hak_lock_drop_tried(&heap_by_id(1)->lock);
    heap_release(heap_acquire(HEAP_THREAD));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids),     cmocka_unit_test(reuse),    cmocka_unit_test(many), cmocka_unit_test(shared_is_one),
        cmocka_unit_test(threads), cmocka_unit_test(refusals), cmocka_unit_test(locks)};
    return cmocka_run_group_tests(tests, setup, 0);
}
