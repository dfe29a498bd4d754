/* lock.c : base/lock.h: exclusion, waiting, errno. */
#include "base/lock.h"
#include "unit.h"
#include <errno.h>
#include <pthread.h>

enum { THREADS = 4, ROUNDS = 20000 };

static hak_lock lock = HAK_LOCK_INIT(HAK_RANK_HEAP);
static size_t counter; /* lock */

static void *count(void *arg) {
    (void)arg;
    errno = 4242;
    for (int i = 0; i < ROUNDS; i++) {
        hak_lock_take(&lock);
        size_t was = counter;
        if (i % 500 == 0) {
            usleep(1); /* the others spin, then sleep */
        }
        counter = was + 1;
        hak_lock_drop(&lock);
    }
    return errno == 4242 ? 0 : arg;
}

static void exclusion(void **state) {
    (void)state;
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&t[i], 0, count, &t), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(t[i], &wrong);
        assert_null(wrong);
    }
    assert_int_equal(counter, THREADS * ROUNDS);
    assert_int_equal(lock.word, 0);
}

static void try_and_reset(void **state) {
    (void)state;
    assert_true(hak_lock_try(&lock));
    assert_false(hak_lock_try(&lock));
    hak_lock_drop_tried(&lock);
    assert_true(hak_lock_try(&lock));
    hak_lock_reset(&lock);
    hak_lock_take(&lock);
    hak_lock_drop(&lock);
    assert_int_equal(lock.word, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(exclusion), cmocka_unit_test(try_and_reset)};
    return RUN(tests);
}
