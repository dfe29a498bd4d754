/* signals.c : a timer's signal handler allocates and frees while the program is anywhere in the allocator. POSIX promises nothing here;
 * hakmem promises that nothing breaks, and that a handler gets a block or NULL. Not for allocators in general. */
#include "alloc.h"
#include <signal.h>
#include <sys/time.h>

enum { SLOTS = 200, HANDLER_SLOTS = 16 };

static volatile sig_atomic_t calls, got;
static struct stress_block kept[HANDLER_SLOTS]; /* live from one signal to a later one */
static struct stress_block crossing;            /* allocated by the program, freed by the handler */

static void handler(int number) {
    (void)number;
    int saved = errno;
    calls++;
    size_t k = (size_t)calls % HANDLER_SLOTS, n = (size_t)calls * 37 % 5000 + 1;
    stress_free(&kept[k]);
    void *p = malloc(n);
    if (p) {
        got++;
        kept[k] = stress_take(p, n, (uint64_t)calls);
    }
    struct stress_block b = crossing;
    if (b.at) {
        crossing.at = NULL;
        stress_free(&b);
    }
    errno = saved;
}

static void *no_signals(void *arg) {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    uint64_t seed = 99;
    for (size_t i = 0; i < *(size_t *)arg; i++) {
        size_t n = stress_size(&seed);
        struct stress_block b = stress_take(malloc(n), n, check_random(&seed));
        stress_free(&b);
    }
    return NULL;
}

int main(void) {
    check_start();
    if (!check_is_hakmem() && !getenv("HAK_TEST_FORCE")) {
#ifndef HAK_PREFIX
        check_skip("malloc in signal handlers: only hakmem bears it");
#endif
    }
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    struct itimerval often = {{0, 200}, {0, 200}}, off = {{0, 0}, {0, 0}};
    size_t rounds = stress_scale(600000);
    pthread_t t = stress_start(no_signals, &rounds);
    setitimer(ITIMER_REAL, &often, NULL);
    uint64_t seed = check_seed();
    static struct stress_block slot[SLOTS];
    for (size_t i = 0; i < rounds; i++) {
        struct stress_block *b = &slot[check_random(&seed) % SLOTS];
        stress_free(b);
        size_t n = stress_size(&seed);
        *b = stress_take(malloc(n), n, check_random(&seed));
        if (i % 16 == 0 && !crossing.at) {
            struct stress_block c = stress_take(malloc(500), 500, i);
            crossing = c;
        }
    }
    setitimer(ITIMER_REAL, &off, NULL);
    pthread_join(t, NULL);
    for (size_t i = 0; i < SLOTS; i++) {
        stress_free(&slot[i]);
    }
    for (size_t i = 0; i < HANDLER_SLOTS; i++) {
        stress_free(&kept[i]);
    }
    stress_free(&crossing);
    printf("%d signals, %d allocations in the handler\n", (int)calls, (int)got);
    CHECK(calls > 100 || STRESS_SANITIZED);
    CHECK(got > calls / 2);
    return check_done();
}
