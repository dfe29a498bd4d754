/* emergency.c : the static pool: alignment, zeroes, sizes, exhaustion, and its return to empty. */
#include "cold/emergency.h"
#include "cold/span.h"
#include "unit.h"
#include <pthread.h>

#include "api/prefixed.h"

enum { POOL = 256 << 10 };

static void blocks(void **state) {
    (void)state;
    char *p[100];
    for (size_t i = 0; i < 100; i++) {
        size_t n = i * 7;
        p[i] = emergency_alloc(n, 1);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % 16, 0);
        assert_true(emergency_holds(p[i]));
        assert_int_equal(emergency_size(p[i]), n);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(p[i][k], 0);
            p[i][k] = (char)i;
        }
    }
    for (size_t i = 0; i < 100; i++) {
        assert_true(i == 0 || (p[i][0] == (char)i && p[i][i * 7 - 1] == (char)i));
        emergency_free(p[i]);
    }
    assert_false(emergency_holds(&p));
    assert_false(emergency_holds(0));
}

static void alignment(void **state) {
    (void)state;
    void *p[20];
    unsigned n = 0;
    for (size_t align = 1; align <= 4096; align *= 2) {
        p[n] = emergency_alloc(100, align);
        assert_non_null(p[n]);
        assert_int_equal((uintptr_t)p[n] % align, 0);
        assert_int_equal(emergency_size(p[n++]), 100);
    }
    assert_null(emergency_alloc(1, POOL));
    assert_null(emergency_alloc(1, SIZE_MAX / 2 + 1));
    while (n) {
        emergency_free(p[--n]);
    }
}

static void exhaustion(void **state) {
    (void)state;
    char *first = emergency_alloc(1000, 1), *p;
    assert_null(emergency_alloc(POOL, 1));
    assert_null(emergency_alloc(SIZE_MAX, 1));
    assert_null(emergency_alloc(SIZE_MAX - 20, 1));
    unsigned n = 1;
    while ((p = emergency_alloc(1000, 1)) != 0) {
        n++;
    }
    assert_true(n > 200 && n <= POOL / 1000);
    for (; n > 1; n--) {
        emergency_free(first);
    }
    assert_null(emergency_alloc(1000, 1)); /* one lives yet */
    emergency_free(first);
    p = emergency_alloc(1000, 1);
    assert_ptr_equal(p, first);
    assert_int_equal(p[0], 0);
    emergency_free(p);
}

static void *hammer(void *arg) {
    for (int i = 0; i < 20000; i++) {
        uintptr_t *p = emergency_alloc(64, 1);
        if (p) {
            p[0] = p[7] = (uintptr_t)arg;
            if (p[0] != (uintptr_t)arg || p[7] != (uintptr_t)arg) {
                return arg;
            }
            emergency_free(p);
        }
    }
    return 0;
}

static void threads(void **state) {
    (void)state;
    pthread_t t[4];
    for (uintptr_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&t[i], 0, hammer, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(t[i], &wrong);
        assert_null(wrong);
    }
}

/* A handler that interrupted the allocator, a lock held: what it gets is aligned as it asked, and nothing waits for the lock. */
static void inside(void **state) {
    (void)state;
    void *p[9], *large = malloc(300000);
    assert_non_null(large);
    span_lock();
    hak_tls.busy++;
    for (unsigned i = 0; i < COUNT(p); i++) {
        p[i] = memalign((size_t)32 << i, 100);
        assert_non_null(p[i]);
        assert_int_equal((uintptr_t)p[i] % ((size_t)32 << i), 0);
    }
    assert_null(realloc(large, 400000));
    for (unsigned i = 0; i < COUNT(p); i++) {
        os_fault_advance(1000); /* it is time to purge, but not here */
        free(p[i]);
    }
    hak_tls.busy--;
    span_unlock();
    large = realloc(large, 400000);
    assert_non_null(large);
    free(large);
}

int main(void) {
    unit_start();

    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks), cmocka_unit_test(alignment),
                                       cmocka_unit_test(exhaustion), cmocka_unit_test(inside),
                                       cmocka_unit_test(threads)};
    return RUN(tests);
}
