/* idle_threads.c : 500 threads that each used 28 size classes and then wait: resident bytes a thread. usage: idle_threads LIMIT_KIB
 * The C library's part of a thread (stack and its TLS, about 12 KiB) is in the figure. */
#include "alloc.h"

enum { THREADS = 500, CLASSES = 28 };

static pthread_barrier_t used, done;

static void *run(void *arg) {
    (void)arg;
    size_t n = 16;
    for (int c = 0; c < CLASSES; c++) {
        void *p[4];
        for (int i = 0; i < 4; i++) {
            p[i] = malloc(n);
            REQUIRE(p[i] != NULL);
            memset(p[i], 1, n);
        }
        for (int i = 0; i < 4; i++) {
            free(p[i]);
        }
        n += c < 15 ? 16 : n / 8;
    }
    pthread_barrier_wait(&used);
    pthread_barrier_wait(&done);
    return NULL;
}

int main(int argc, char **argv) {
    check_start();
    size_t limit = argc > 1 ? strtoull(argv[1], NULL, 10) : 55;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 64 << 10);
    pthread_barrier_init(&used, NULL, THREADS + 1);
    pthread_barrier_init(&done, NULL, THREADS + 1);
    static pthread_t t[THREADS];
    size_t before = stress_status("VmRSS:");
    for (int i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&t[i], &attr, run, NULL) == 0);
    }
    pthread_barrier_wait(&used);
    size_t each = (stress_status("VmRSS:") - before) / THREADS;
    printf("%zu bytes a thread\n", each);
    CHECK(each <= limit << 10);
    pthread_barrier_wait(&done);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
    }
    return check_done();
}
