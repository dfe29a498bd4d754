/* stacks.c : threads with stacks of 64 KiB and of the least size there is go through every slow path: the allocator's own frames must be
 * small. The stack is patterned below the guard by the system: an overflow is a crash. */
#include "alloc.h"
#include <limits.h>

enum { THREADS = 4, SLOTS = 60 };

static void *run(void *arg) {
    uint64_t seed = check_seed() * ((uintptr_t)arg * 2 + 1) + 1;
    struct stress_block slot[SLOTS] = {{0}};
    size_t rounds = stress_scale(60000);
    for (size_t i = 0; i < rounds; i++) {
        struct stress_block *b = &slot[check_random(&seed) % SLOTS];
        size_t n = stress_size(&seed);
        if (b->at && i % 4 == 0) {
            unsigned char *p = realloc(b->at, n);
            REQUIRE(p != NULL);
            *b = stress_take(p, n, check_random(&seed));
            continue;
        }
        stress_free(b);
        *b = stress_take(i % 3 ? malloc(n) : aligned_alloc(4096, n), n, check_random(&seed));
    }
    for (size_t i = 0; i < SLOTS; i++) {
        stress_free(&slot[i]);
    }
    malloc_trim(0);
    return NULL;
}

static void with_stack(size_t bytes) {
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    CHECK(pthread_attr_setstacksize(&attr, bytes) == 0);
    pthread_t t[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        REQUIRE(pthread_create(&t[i], &attr, run, (void *)i) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
    }
    pthread_attr_destroy(&attr);
}

int main(void) {
    check_start();
    with_stack(STRESS_SLOW ? 512 << 10 : 64 << 10);
    if (!STRESS_SLOW) {
        with_stack((size_t)sysconf(_SC_THREAD_STACK_MIN) + 8192);
    }
    stress_verify();
    return check_done();
}
