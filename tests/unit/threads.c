/* threads.c : many threads, blocks that wander between them, threads that come and go, forks; the heap is verified whenever all stand still. */
#include "api/prefixed.h"
#include "diag/stats.h"
#include "unit.h"
#include <pthread.h>

enum { THREADS = 4, ROUNDS = 12, STEPS = 4000, MARKET = 2000, OWN = 300 };

static void *market[MARKET]; /* atomic: whoever swaps a block out owns it */
static pthread_barrier_t start, end;
static int stop; /* atomic */

static size_t some_size(uint64_t *seed) {
    size_t k = unit_below(seed, 1000);
    return 1 + unit_below(seed, k < 950 ? 1500 : k < 995 ? 40000 : 1500000);
}

/* A block knows its size; the first and the last byte agree. */
static void *make(uint64_t *seed) {
    size_t n = some_size(seed) + sizeof n;
    unsigned char *p = malloc(n);
    if (p) {
        memcpy(p, &n, sizeof n);
        p[n - 1] = p[0];
    }
    return p;
}

static void check_and_free(void *block) {
    unsigned char *p = block;
    size_t n;
    if (p) {
        memcpy(&n, p, sizeof n);
        if (n > 2000000 || (n > sizeof n && p[n - 1] != p[0])) {
            abort();
        }
        free(p);
    }
}

static void trade(uint64_t *seed, void **own) {
    size_t k = unit_below(seed, OWN);
    check_and_free(own[k]);
    own[k] = make(seed);
    if (unit_below(seed, 3) == 0) {
        own[k] = __atomic_exchange_n(&market[unit_below(seed, MARKET)], own[k], __ATOMIC_ACQ_REL);
    }
}

static void *trader(void *arg) {
    uint64_t seed = (uintptr_t)arg;
    void *own[OWN] = {0};
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&start);
        for (int i = 0; i < STEPS; i++) {
            trade(&seed, own);
        }
        if (round % 4 == 3) {
            hak_thread_idle();
        }
        pthread_barrier_wait(&end);
    }
    pthread_barrier_wait(&start); /* the last verification is over */
    for (int i = 0; i < OWN; i++) {
        check_and_free(own[i]);
    }
    return 0;
}

static void empty_market(void) {
    for (int i = 0; i < MARKET; i++) {
        check_and_free(__atomic_exchange_n(&market[i], (void *)0, __ATOMIC_ACQ_REL));
    }
}

static size_t allocated(void) {
    struct stats s;
    assert_true(stats_get(&s));
    return s.total.allocated;
}

static void rounds(void **state) {
    (void)state;
    pthread_t t[THREADS];
    size_t before = allocated();
    pthread_barrier_init(&start, 0, THREADS + 1);
    pthread_barrier_init(&end, 0, THREADS + 1);
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&t[i], 0, trader, (void *)(i + 1)), 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&start);
        struct stats s;
        stats_get(&s); /* while they run */
        os_fault_advance(400);
        pthread_barrier_wait(&end);
        unit_verify();
    }
    pthread_barrier_wait(&start);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], 0);
    }
    unit_verify();
    empty_market();
    assert_int_equal(allocated(), before); /* to the byte, whoever freed it */
    unit_verify();
}

static void *short_life(void *arg) {
    uint64_t seed = (uintptr_t)arg;
    void *own[OWN] = {0};
    for (int i = 0; i < 1000; i++) {
        trade(&seed, own);
    }
    for (int i = 0; i < OWN; i++) {
        check_and_free(own[i]);
    }
    return 0;
}

static void come_and_go(void **state) {
    (void)state;
    size_t before = allocated();
    uint32_t heaps = 0;
    for (uintptr_t round = 0; round < 40; round++) {
        pthread_t t[THREADS];
        for (uintptr_t i = 0; i < THREADS; i++) {
            assert_int_equal(pthread_create(&t[i], 0, short_life, (void *)(round * 7 + i + 1)), 0);
        }
        for (int i = 0; i < THREADS; i++) {
            pthread_join(t[i], 0);
        }
        unit_verify();
        heaps = round == 1 ? heap_count() : heaps;
    }
    assert_true(heap_count() <= heaps + THREADS);
    empty_market();
    assert_int_equal(allocated(), before);
    unit_verify();
}

static pthread_key_t key;

static void after_everything(void *p) {
    static __thread int again;
    if (again++ < 3) {
        pthread_setspecific(key, p); /* our own destructor runs in between */
        void *q = malloc(100);
        memset(q, 1, 100);
        free(q);
    } else {
        free(p);
    }
}

static void *with_destructor(void *arg) {
    pthread_setspecific(key, malloc(200));
    check_and_free(arg);
    return malloc(300);
}

static void after_destructors(void **state) {
    (void)state;
    uint64_t seed = 4;
    size_t before = allocated();
    pthread_key_create(&key, after_everything);
    for (int i = 0; i < 50; i++) {
        pthread_t t;
        void *left;
        assert_int_equal(pthread_create(&t, 0, with_destructor, make(&seed)), 0);
        pthread_join(t, &left);
        free(left);
#if !defined(__SANITIZE_THREAD__) /* for TSan a thread ends before its last destructors, which free */
        unit_verify();
#endif
    }
    assert_int_equal(allocated(), before);
}

static void *trade_until_stopped(void *arg) {
    uint64_t seed = (uintptr_t)arg;
    void *own[OWN] = {0};
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        trade(&seed, own);
    }
    for (int i = 0; i < OWN; i++) {
        check_and_free(own[i]);
    }
    return 0;
}

/* A thread of the parent that was between the span allocator and its heap took a span with it: lost in the child, and no more than that. */
static void count_worse(const char *line, void *worse) {
    if (!strstr(line, "in no span") && strncmp(line, "spans:", 6) != 0) {
        unit_print(line, 0);
        ++*(int *)worse;
    }
}

static void in_the_child(void) {
    uint64_t seed = 5;
    void *own[OWN] = {0};
    int worse = 0;
    verify_heap_all(count_worse, &worse);
    if (worse) {
        _exit(1);
    }
    for (int i = 0; i < 2000; i++) {
        trade(&seed, own);
    }
    verify_heap_all(count_worse, &worse);
    if (worse) {
        _exit(2);
    }
}

/* The child has one thread and a whole heap, wherever the parent's other threads were. */
static void forks(void **state) {
    (void)state;
    pthread_t t[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&t[i], 0, trade_until_stopped, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < 60; i++) {
        unit_child(in_the_child, 0);
    }
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], 0);
    }
    empty_market();
    unit_verify();
}

static int met; /* atomic: the handler was called */

static void take_one(int number) {
    (void)number;
    __atomic_store_n(&met, 1, __ATOMIC_RELAXED);
    free(malloc(100));
}

/* Returns how many heaps think they are this thread's. */
static void *first_call(void *arg) {
    (void)arg;
    uintptr_t n = 0;
    free(malloc(100));
    for (uint32_t id = 1; id <= heap_count(); id++) {
        n += heap_by_id(id)->cache == &hak_tls;
    }
    return (void *)n;
}

/* A thread's first call waits for another thread, which starts the allocator, and a signal handler takes a block meanwhile: the thread gets one
 * heap, not one in the handler and another after it. */
static void attached_in_a_handler(void **state) {
    (void)state;
    struct heap *own = hak_tls.heap;
    assert_true(thread_attach(&hak_tls));
    assert_ptr_equal(hak_tls.heap, own);
    struct sigaction action = {.sa_handler = take_one};
    sigaction(SIGUSR1, &action, 0);
    unsigned waits = os_fault_count(OS_WAIT);
    pthread_t t;
    void *heaps;
    __atomic_store_n(&hak_mode, HAK_MODE_STARTING, __ATOMIC_RELAXED);
    assert_int_equal(pthread_create(&t, 0, first_call, 0), 0);
    while (os_fault_count(OS_WAIT) == waits) {
        usleep(100);
    }
    pthread_kill(t, SIGUSR1);
    while (!__atomic_load_n(&met, __ATOMIC_RELAXED)) {
        usleep(100);
    }
    __atomic_store_n(&hak_mode, HAK_MODE_ON, __ATOMIC_RELEASE);
    os_wake(&hak_mode);
    pthread_join(t, &heaps);
    assert_int_equal((uintptr_t)heaps, 1);
    unit_verify();
}

static int setup(void **state) {
    (void)state;
    unit_start();
    free(malloc(1));
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(rounds), cmocka_unit_test(come_and_go),
                                       cmocka_unit_test(after_destructors), cmocka_unit_test(attached_in_a_handler),
                                       cmocka_unit_test(forks)};
    return cmocka_run_group_tests(tests, setup, 0);
}
