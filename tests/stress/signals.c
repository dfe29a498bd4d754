/* signals.c : a timer's signal handler allocates and frees while the program is anywhere in the allocator's slow paths: no deadlock, no
 * broken structure, and the handler gets a block or NULL. POSIX promises nothing here. What nobody can promise is a handler that takes
 * from the very magazine that the interrupted call was about to pop, so the two sides use different size classes. */
#include "alloc.h"
#include <signal.h>
#include <sys/time.h>

enum { SLOTS = 200, HANDLER_SLOTS = 16 };

static volatile sig_atomic_t calls, got;
static struct stress_block kept[HANDLER_SLOTS]; /* live from one signal to a later one */

enum { HANDLER_LO = 2500, HANDLER_HI = 4000 };

/* A size of the program's: none near the handler's. */
static size_t other_size(uint64_t *seed) {
    size_t n = stress_size(seed);
    return n > 2048 && n < 5200 ? n / 4 : n;
}

static void handler(int number) {
    (void)number;
    int saved = errno;
    calls++;
    size_t k = (size_t)calls % HANDLER_SLOTS, n = HANDLER_LO + (size_t)calls * 37 % (HANDLER_HI - HANDLER_LO);
    stress_free(&kept[k]);
    size_t alignment = (size_t)16 << calls % 8 % 7;
    void *p = alignment > 16 ? memalign(alignment, n) : malloc(n);
    CHECK(is_aligned(p, alignment));
    if (p) {
        got++;
        kept[k] = stress_take(p, n, (uint64_t)calls);
    }
    errno = saved;
}

/* Runs with all signals blocked, as its creator had them. */
static void *no_signals(void *arg) {
    uint64_t seed = 99;
    for (size_t i = 0; i < *(size_t *)arg; i++) {
        size_t n = other_size(&seed);
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
    suseconds_t period = STRESS_SLOW ? 5000 : 200;
    struct itimerval often = {{0, period}, {0, period}}, off = {{0, 0}, {0, 0}};
    size_t rounds = stress_scale(600000);
    sigset_t alarm_only;
    sigemptyset(&alarm_only);
    sigaddset(&alarm_only, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm_only, NULL);
    pthread_t t = stress_start(no_signals, &rounds);
    pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    uint64_t seed = check_seed();
    static struct stress_block slot[SLOTS];
    for (size_t i = 0; i < rounds; i++) {
        struct stress_block *b = &slot[check_random(&seed) % SLOTS];
        stress_free(b);
        size_t n = other_size(&seed);
        *b = stress_take(malloc(n), n, check_random(&seed));
    }
    setitimer(ITIMER_REAL, &off, NULL);
    pthread_join(t, NULL);
    for (size_t i = 0; i < SLOTS; i++) {
        stress_free(&slot[i]);
    }
    for (size_t i = 0; i < HANDLER_SLOTS; i++) {
        stress_free(&kept[i]);
    }
    printf("%d signals, %d allocations in the handler\n", (int)calls, (int)got);
    CHECK(calls > 100 || STRESS_SLOW);
    CHECK(got > calls / 2);
    stress_verify();
    return check_done();
}
