/* cancel.c : a thread that is to be cancelled goes through the allocator's slow paths, prints its statistics and starts others; none of it is
 * a cancellation point (POSIX.1-2024 2.9.5.2 names no function of the malloc family), or a lock would stay taken for ever. */
#include "alloc.h"
#include <fcntl.h>

static volatile int through;

static void *cancelled(void *arg) {
    uint64_t seed = 7;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_cancel(pthread_self());
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    for (size_t i = 0; i < *(size_t *)arg; i++) {
        size_t n = stress_size(&seed);
        struct stress_block b = stress_take(malloc(n), n, check_random(&seed));
        stress_free(&b);
    }
    free(calloc(1, (size_t)100 << 20));
    malloc_trim(0);
    malloc_stats();
    through = 1;
    pthread_testcancel();
    return NULL;
}

int main(void) {
    check_start();
    int null = open("/dev/null", O_WRONLY), saved = dup(2);
    size_t rounds = stress_scale(20000);
    for (int i = 0; i < 20; i++) {
        void *result;
        through = 0;
        dup2(null, 2);
        pthread_t t = stress_start(cancelled, &rounds);
        pthread_join(t, &result);
        dup2(saved, 2);
        CHECK(through);
        CHECK(result == PTHREAD_CANCELED);
    }
    return check_done();
}
