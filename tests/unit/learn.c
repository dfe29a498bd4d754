/* learn.c : a size that fills its class gets a class of its own, four do at most, and nothing else changes. */
#include "cold/learn.h"
#include "api/prefixed.h"
#include "cold/magazine.h"
#include "hakmem/hakmem.h"
#include "unit.h"
#include <malloc.h>
#include <pthread.h>

enum { MANY = 4000 };
static void *block[MANY];

static unsigned class_of(size_t n) { return hak_class_of[hak_class_index(n)]; }

/* Makes the heap grow by bytes in blocks of n, or of sizes at random from n to m; all of it is freed. */
static void fill(size_t n, size_t m, size_t bytes) {
    unsigned k = 0;
    uint32_t random = 1;
    for (size_t sum = 0; sum < bytes && k < MANY; k++) {
        random = random * 1103515245 + 12345;
        size_t size = m ? n + (random >> 16) % (m - n + 1) : n;
        block[k] = malloc(size);
        assert_non_null(block[k]);
        memset(block[k], 1, size);
        sum += size;
    }
    unit_verify();
    while (k) {
        free(block[--k]);
    }
    unit_verify();
}

/* slab.c's division by multiplication, and its test of interior pointers in slabs of one unit, hold for every size that may come. */
static void rows(void **state) {
    (void)state;
    for (size_t size = 16; size <= HAK_MEDIUM_MAX; size += 16) {
        struct size_class k = learn_row(size);
        assert_int_equal(k.size, size);
        assert_true(k.units >= 1 && k.units <= 8 && k.nobj >= 1 && k.nobj <= 4096);
        assert_true(k.nobj * size <= k.units * HAK_UNIT && (k.nobj + 1u) * size > k.units * HAK_UNIT);
        assert_true(k.cap >= 2 && k.cap <= 126 && k.batch >= 1 && k.batch <= 126 && k.least >= 1 && k.least <= 8);
        for (size_t i = 0; i < k.nobj; i++) {
            size_t inside[] = {1, 8, 16, size - 1};
            uint64_t q = (uint64_t)(i * size) * k.recip;
            assert_int_equal(q >> 32, i);
            assert_true(k.units > 1 || (uint32_t)q < 1 << 18);
            for (unsigned d = 0; d < COUNT(inside) && inside[d] < size; d++) {
                q = (uint64_t)(i * size + inside[d]) * k.recip;
                assert_true(k.units > 1 || (uint32_t)q >= 1 << 18);
            }
        }
    }
}

static void mixed_sizes(void **state) {
    (void)state;
    unit_start();
    fill(4100, 4600, 8 << 20);
    assert_int_equal(class_of(4368), class_of(4608));
    fill(4600, 0, 4 << 20); /* nothing to gain */
    assert_int_equal(class_of(4600), class_of(4608));
}

static void *other_thread(void *arg) {
    (void)arg;
    free(malloc(1)); /* the first call looks its class up before the thread has a heap */
    void *p = malloc(720), *q = malloc(4368);
    assert_int_equal(malloc_usable_size(p), 720);
    assert_int_equal(malloc_usable_size(q), 4368);
    free(q);
    return p;
}

static void one_size(void **state) {
    (void)state;
    unsigned old = class_of(4608);
    void *before = malloc(4368);
    assert_int_equal(malloc_usable_size(before), 4608);
    fill(4368, 0, 4 << 20);
    assert_true(class_of(4368) >= HAK_CLASSES_FIXED);
    assert_int_equal(class_of(4100), class_of(4368));
    assert_int_equal(class_of(4369), old);
    assert_int_equal(class_of(4096), old - 1);
    void *after = malloc(4360);
    assert_int_equal(malloc_usable_size(after), 4368);
    assert_int_equal(malloc_usable_size(before), 4608); /* for its life */
    memset(after, 7, 4360);
    after = realloc(after, 4500);
    assert_int_equal(((char *)after)[4359], 7);
    free(before);
    free(after);
    void *aligned = memalign(512, 4300);
    assert_int_equal((uintptr_t)aligned % 512, 0);
    free(aligned);
    aligned = memalign(4096, 4300);
    assert_int_equal((uintptr_t)aligned % 4096, 0);
    free(aligned);
    unit_verify();
}

/* Small sizes are in each thread's own table: this thread's, and those of threads to come. */
static void small(void **state) {
    (void)state;
    fill(720, 0, 2 << 20);
    void *p = malloc(720);
    assert_int_equal(malloc_usable_size(p), 720);
    free(p);
    pthread_t t;
    assert_int_equal(pthread_create(&t, 0, other_thread, 0), 0);
    assert_int_equal(pthread_join(t, &p), 0);
    free(p);
    unit_verify();
}

static void no_more_spares(void **state) {
    (void)state;
    fill(8224, 0, 6 << 20);
    fill(20992, 0, 12 << 20);
    assert_true(class_of(8224) >= HAK_CLASSES_FIXED && class_of(20992) >= HAK_CLASSES_FIXED);
    fill(33024, 0, 16 << 20);
    assert_true(class_of(33024) < HAK_CLASSES_FIXED);
    fill(33024, 0, 16 << 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),  cmocka_unit_test(mixed_sizes),    cmocka_unit_test(one_size),
        cmocka_unit_test(small), cmocka_unit_test(no_more_spares),
    };
    return RUN(tests);
}
