/* conf_threads.c : the family is thread-safe: blocks move between threads, threads end with blocks alive.
 *                                                  short, so that it runs under qemu-user too; stress/ goes further */
#include "conformance/family.h"
#include <pthread.h>
#include <stdint.h>

enum { THREADS = 4, ROUNDS = 6000, SLOTS = 64 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned char *shared[SLOTS];
static size_t shared_size[SLOTS];

static void check_and_free(unsigned char *p, size_t n) {
    if (p) {
        CHECK(p[0] == (n & 255) && p[n - 1] == (n & 255) && p[n / 2] == (n & 255));
        free(p);
    }
}

static void *swap_blocks(void *arg) {
    uint64_t seed = check_seed() + (uintptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        size_t n = check_random_size(&seed, 1, i % 100 ? 8000 : 300000), k = (size_t)(check_random(&seed) % SLOTS);
        unsigned char *p = check_random(&seed) & 1 ? malloc(n) : aligned_alloc(64, n);
        REQUIRE(p != NULL);
        memset(p, (int)(n & 255), n);
        pthread_mutex_lock(&lock);
        unsigned char *old = shared[k];
        size_t old_n = shared_size[k];
        shared[k] = p;
        shared_size[k] = n;
        pthread_mutex_unlock(&lock);
        check_and_free(old, old_n);
    }
    return NULL;
}

static void *make_one(void *arg) {
    char *p = malloc((size_t)(uintptr_t)arg);
    REQUIRE(p != NULL);
    memset(p, 9, (size_t)(uintptr_t)arg);
    errno = (int)(uintptr_t)arg; /* errno is each thread's own */
    return p;
}

static void blocks_outlive_threads(void) {
    for (uintptr_t i = 1; i <= 200; i++) {
        pthread_t t;
        void *p = NULL;
        REQUIRE(pthread_create(&t, NULL, make_one, (void *)(i * 50)) == 0);
        pthread_join(t, &p);
        CHECK(((char *)p)[i * 50 - 1] == 9);
        p = realloc(p, i * 100);
        CHECK(((char *)p)[i * 50 - 1] == 9);
        free(p);
    }
}

int main(void) {
    check_start();
    pthread_t t[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&t[i], NULL, swap_blocks, (void *)i) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
    }
    for (int i = 0; i < SLOTS; i++) {
        check_and_free(shared[i], shared_size[i]);
    }
    blocks_outlive_threads();
    return check_done();
}
