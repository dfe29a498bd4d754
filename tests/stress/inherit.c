/* inherit.c : threads that die while others free into their slabs and allocate from them: a few long ones and waves of short ones share a
 * table of patterned blocks of few classes, so that what an ended thread left is taken over by whoever needs a slab. */
#include "alloc.h"

enum { SHORT = 4, LONG = 2, SLOTS = 8192, EACH = 1500 };

static struct stress_block slot[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool stop;

/* Replaces n random blocks, or takes them away. */
static void replace(uint64_t *seed, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        size_t size = 16 + (size_t)(check_random(seed) % 8) * 48;
        bool make = check_random(seed) % 4 != 0;
        struct stress_block b = {0};
        if (make) {
            b = stress_take(malloc(size), size, check_random(seed));
        }
        size_t k = (size_t)(check_random(seed) % SLOTS);
        pthread_mutex_lock(&lock);
        struct stress_block old = slot[k];
        slot[k] = b;
        pthread_mutex_unlock(&lock);
        stress_free(&old);
    }
}

static void *short_life(void *arg) {
    uint64_t seed = check_seed() * ((uintptr_t)arg * 2 + 1) + 1;
    replace(&seed, EACH);
    return NULL;
}

static void *long_life(void *arg) {
    uint64_t seed = check_seed() * ((uintptr_t)arg * 2 + 3) + 5;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        replace(&seed, 100);
    }
    return NULL;
}

static void wave(size_t round) {
    pthread_t t[SHORT];
    for (uintptr_t i = 0; i < SHORT; i++) {
        t[i] = stress_start(short_life, (void *)(round * SHORT + i));
    }
    for (size_t i = 0; i < SHORT; i++) {
        pthread_join(t[i], NULL);
    }
}

int main(void) {
    check_start();
    size_t rounds = stress_scale(200);
    for (size_t r = 0; r < rounds; r += 25) {
        pthread_t t[LONG];
        __atomic_store_n(&stop, false, __ATOMIC_RELAXED);
        for (uintptr_t i = 0; i < LONG; i++) {
            t[i] = stress_start(long_life, (void *)(r * LONG + i));
        }
        for (size_t k = r; k < r + 25 && k < rounds; k++) {
            wave(k);
        }
        __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
        for (size_t i = 0; i < LONG; i++) {
            pthread_join(t[i], NULL);
        }
        stress_verify();
    }
    for (size_t i = 0; i < SLOTS; i++) {
        stress_free(&slot[i]);
    }
    return check_done();
}
