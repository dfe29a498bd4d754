/* worker.c : what the background thread does when it wakes, and how long it sleeps. Its thread is stress/rss_back's matter. */
#include "cold/worker.h"
#include "api/prefixed.h"
#include "cold/purge.h"
#include "cold/remote.h"
#include "cold/span.h"
#include "hakmem/hakmem.h"
#include "unit.h"
#include <pthread.h>

enum { MANY = 20000, SIZE = 1000, SURVIVOR = 40 };
static void *block[MANY];

static int setup(void **state) {
    (void)state;
    os_fault_clock(100000);
    unit_start();
    purge_tick();
    return 0;
}

static void *allocate(void *arg) {
    (void)arg;
    for (int i = 0; i < MANY; i++) {
        block[i] = malloc(SIZE);
        assert_non_null(block[i]);
        memset(block[i], 1, SIZE);
    }
    return 0;
}

/* Blocks of a thread that has ended, freed by this one: they wait in its heap's inbox until the pass, which purges them when they are old. */
static void idle_heap(void **state) {
    (void)state;
    pthread_t id;
    assert_int_equal(pthread_create(&id, 0, allocate, 0), 0);
    pthread_join(id, 0);
    size_t last = 0;
    for (size_t i = 0; i < MANY; i++) {
        if (i % SURVIVOR) {
            free(block[i]);
            last = i;
        }
    }
    assert_true(last > 0);
    hak_tls.busy++;
    remote_flush(hak_tls.heap);
    hak_tls.busy--;
    size_t purged = os_fault_purged();
    worker_pass();
    for (uint32_t i = 1; i <= heap_count(); i++) {
        assert_false(remote_pending(heap_by_id(i)));
    }
    unit_verify();
    assert_int_equal(os_fault_purged(), purged);
    os_fault_advance(3000);
    assert_true(worker_pass() > (size_t)MANY * SIZE / 2);
    assert_true(os_fault_purged() - purged > (size_t)MANY * SIZE / 2);
    unit_verify();
    assert_int_equal(worker_pass(), 0); /* nothing is left */
    for (size_t i = 0; i < MANY; i += SURVIVOR) {
        assert_int_equal(((unsigned char *)block[i])[SIZE - 1], 1);
        free(block[i]);
    }
    unit_verify();
}

/* An owner who does not come: another thread's frees are in its inbox, it calls nothing. */
static void *free_all(void *arg) {
    (void)arg;
    for (int i = 0; i < 200; i++) {
        free(block[i]);
    }
    return 0;
}

static void sleeping_owner(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        block[i] = malloc(SIZE);
    }
    pthread_t id;
    assert_int_equal(pthread_create(&id, 0, free_all, 0), 0);
    pthread_join(id, 0);
    assert_true(remote_pending(hak_tls.heap));
    assert_true(worker_pass() > 0);
    assert_false(remote_pending(hak_tls.heap));
    unit_verify();
}

static void periods(void **state) {
    (void)state;
    assert_int_equal(hak_option_set("decay", "1000"), 0);
    static const unsigned quiet[] = {100, 200, 250, 500, 1000, 2000, 4000, 4000};
    unsigned ms = 0;
    for (size_t i = 0; i < COUNT(quiet); i++) {
        ms = worker_period(ms, 0);
        assert_int_equal(ms, quiet[i]);
    }
    assert_int_equal(worker_period(ms, 1), 100);
    assert_int_equal(hak_option_set("decay", "60000"), 0);
    assert_int_equal(worker_period(10000, 0), 15000); /* as long as nothing can grow old meanwhile */
    assert_int_equal(worker_period(15000, 0), 15000);
    assert_int_equal(hak_option_set("decay", "0"), 0);
    assert_int_equal(worker_period(100, 0), 200);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(idle_heap), cmocka_unit_test(sleeping_owner),
                                       cmocka_unit_test(periods)};
    return cmocka_run_group_tests(tests, setup, 0);
}
