/* recall.c : closed, the table of small sizes leads each malloc through the door, and what it gives is the class's own. */
#include "cold/recall.h"
#include "api/prefixed.h"
#include "layout/size_class.h"
#include "unit.h"

enum { CALLS = 7 };
static struct heap *heap;

static int setup(void **state) {
    (void)state;
    heap = unit_start();
    return 0;
}

static bool is_closed(void) { return hak_tls.bin[0] == HAK_CLASS_CLOSED; }

static void so_many_calls(void **state) {
    (void)state;
    void *first = malloc(100);
    free(first);
    recall_set(&hak_tls, heap, CALLS);
    for (int i = 0; i <= CALLS; i++) {
        assert_true(is_closed());
        heap->recalled = false;
        uint32_t events = heap->events;
        void *p = malloc(100);
        assert_ptr_equal(p, first); /* the newest of its magazine, as ever */
        assert_int_equal(heap->events, events + 1);
        free(p);
    }
    assert_false(is_closed());
    for (size_t n = 0; n <= HAK_SMALL_MAX; n++) {
        assert_int_equal(hak_tls.bin[hak_class_index(n)], hak_class_of[hak_class_index(n)]);
    }
    unit_verify();
}

static void every_size(void **state) {
    (void)state;
    static void *p[HAK_SMALL_MAX + 1];
    recall_set(&hak_tls, heap, HAK_SMALL_MAX + 10);
    for (size_t n = 0; n <= HAK_SMALL_MAX; n++) {
        p[n] = n % 2 ? calloc(1, n) : malloc(n);
        assert_true(malloc_usable_size(p[n]) >= n);
        memset(p[n], (int)n, n);
    }
    assert_true(is_closed());
    for (size_t n = 0; n <= HAK_SMALL_MAX; n++) {
        for (size_t i = 0; i < n; i++) {
            assert_int_equal(((unsigned char *)p[n])[i], (unsigned char)n);
        }
        free(p[n]);
    }
    unit_verify();
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(so_many_calls), cmocka_unit_test(every_size)};
    return cmocka_run_group_tests(tests, setup, 0);
}
