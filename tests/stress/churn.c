/* churn.c : thousands of short threads, a few at a time; each leaves blocks to the next ones and frees what earlier ones left. Memory
 * of ended threads must be found again. */
#include "alloc.h"

enum { AT_ONCE = 8, EACH = 60, LEFT = 4096 };

static struct stress_block left[LEFT];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *run(void *arg) {
    uint64_t seed = check_seed() * ((uintptr_t)arg * 2 + 1) + 1;
    for (int i = 0; i < EACH; i++) {
        size_t n = check_random_size(&seed, 1, i % 20 ? 3000 : 100000);
        struct stress_block b = stress_take(malloc(n), n, check_random(&seed));
        size_t k = (size_t)(check_random(&seed) % LEFT);
        pthread_mutex_lock(&lock);
        struct stress_block old = left[k];
        left[k] = b;
        pthread_mutex_unlock(&lock);
        stress_free(&old);
    }
    return NULL;
}

int main(void) {
    check_start();
    size_t rounds = stress_scale(600);
    for (size_t r = 0; r < rounds; r++) {
        pthread_t t[AT_ONCE];
        for (uintptr_t i = 0; i < AT_ONCE; i++) {
            t[i] = stress_start(run, (void *)(r * AT_ONCE + i));
        }
        for (size_t i = 0; i < AT_ONCE; i++) {
            pthread_join(t[i], NULL);
        }
        if (r % 64 == 63) {
            stress_verify();
        }
    }
    size_t peak = stress_status("VmHWM:");
    printf("peak RSS %zu KiB\n", peak >> 10);
    CHECK(STRESS_SLOW || peak < (size_t)64 << 20); /* 5 MB are live; 300 MB were allocated in all */
    for (size_t i = 0; i < LEFT; i++) {
        stress_free(&left[i]);
    }
    return check_done();
}
