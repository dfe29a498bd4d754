/* lifecycle.c : calls at the edges of a program's and a thread's life: constructors, atexit handlers, destructors, TLS destructors that
 * allocate, frees after the allocator's own TLS destructor ran, a main thread that ends first. */
#include "alloc.h"

enum { KEYS = 24, THREADS = 40 };

static struct stress_block early, at_exit;
static pthread_key_t key[KEYS];
static unsigned destructor_calls;

static struct stress_block make(size_t n, uint64_t mark) { return stress_take(malloc(n), n, mark); }

__attribute__((constructor(101))) static void before_everything(void) { early = make(5000, 11); }

__attribute__((destructor(101))) static void after_everything(void) {
    stress_free(&at_exit);
    struct stress_block b = make(300000, 12);
    stress_free(&b);
    if (check_failures) {
        _exit(1);
    }
}

static void at_exit_handler(void) {
    stress_free(&early);
    at_exit = make(77, 13);
}

/* Sets its key again: the C library calls it in each of its rounds, so that the last calls come after every other destructor, the
 * allocator's included. */
static void again(void *value) {
    size_t k = (size_t)(uintptr_t)value;
    __atomic_add_fetch(&destructor_calls, 1, __ATOMIC_RELAXED);
    struct stress_block b[3] = {make(40 + k, k), make(3000 + k, k), make(200000 + k, k)};
    b[0].at = realloc(b[0].at, 500 + k);
    REQUIRE(b[0].at != NULL);
    CHECK(stress_intact(&b[0], b[0].size));
    for (int i = 0; i < 3; i++) {
        stress_free(&b[i]);
    }
    pthread_setspecific(key[k], value);
}

static void *run(void *arg) {
    struct stress_block b = make((size_t)(uintptr_t)arg * 100 + 1, 14);
    for (size_t k = 1; k < KEYS; k++) {
        pthread_setspecific(key[k], (void *)(uintptr_t)k);
    }
    stress_free(&b);
    return NULL;
}

/* Never allocates before its destructors do. */
static void *run_silent(void *arg) {
    pthread_setspecific(key[1], (void *)(uintptr_t)1);
    return arg;
}

static void *last(void *arg) {
    pthread_join(*(pthread_t *)arg, NULL);
    struct stress_block b = make(1000, 15);
    stress_free(&b);
    exit(check_done()); /* runs the atexit handlers in this thread */
}

int main(void) {
    check_start();
    REQUIRE(early.at != NULL);
    atexit(at_exit_handler);
    for (size_t k = 0; k < KEYS; k++) {
        REQUIRE(pthread_key_create(&key[k], again) == 0);
    }
    for (uintptr_t i = 0; i < THREADS; i++) {
        pthread_t a = stress_start(run, (void *)i), b = stress_start(run_silent, NULL);
        pthread_join(a, NULL);
        pthread_join(b, NULL);
    }
    CHECK(destructor_calls >= THREADS * KEYS * 4u);
    static pthread_t self;
    self = pthread_self();
    pthread_t t = stress_start(last, &self);
    pthread_detach(t);
    pthread_exit(NULL); /* the main thread ends first */
}
