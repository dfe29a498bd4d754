/* emergency.c : the static pool: alignment, zeroes, sizes, exhaustion, and its return to empty. */
#include "cold/emergency.h"
#include "unit.h"
#include <pthread.h>

enum { POOL = 256 << 10 };

static void blocks(void **state) {
    (void)state;
    char *p[100];
    for (size_t i = 0; i < 100; i++) {
        size_t n = i * 7;
        p[i] = emergency_alloc(n);
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

static void exhaustion(void **state) {
    (void)state;
    char *first = emergency_alloc(1000), *p;
    assert_null(emergency_alloc(POOL));
    assert_null(emergency_alloc(SIZE_MAX));
    assert_null(emergency_alloc(SIZE_MAX - 20));
    unsigned n = 1;
    while ((p = emergency_alloc(1000)) != 0) {
        n++;
    }
    assert_true(n > 200 && n <= POOL / 1000);
    for (; n > 1; n--) {
        emergency_free(first);
    }
    assert_null(emergency_alloc(1000)); /* one lives yet */
    emergency_free(first);
    p = emergency_alloc(1000);
    assert_ptr_equal(p, first);
    assert_int_equal(p[0], 0);
    emergency_free(p);
}

static void *hammer(void *arg) {
    for (int i = 0; i < 20000; i++) {
        uintptr_t *p = emergency_alloc(64);
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

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(blocks), cmocka_unit_test(exhaustion),
                                       cmocka_unit_test(threads)};
    return RUN(tests);
}
