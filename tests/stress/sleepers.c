/* sleepers.c : threads that work for a moment and then sleep, at random, while others need memory and so take what the sleepers hold: their
 * inboxes and slabs. Blocks of all of them go through one table, so that each thread frees what others' slabs hold. */
#include "alloc.h"

enum { SLEEPERS = 6, TAKERS = 2, SLOTS = 8192, EACH = 700, GROWTH = 30000, ROUNDS = 4 };

static struct stress_block slot[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static size_t naps, cycles;

static size_t small(uint64_t *seed) { return 16 + (size_t)(check_random(seed) % 8) * 48; }

static struct stress_block make(uint64_t *seed) {
    size_t size = small(seed);
    return stress_take(malloc(size), size, check_random(seed));
}

/* A block for the table, or none, and out of it whatever was there. */
static void trade(uint64_t *seed, bool give) {
    struct stress_block b = {0};
    if (give) {
        b = make(seed);
    }
    size_t k = (size_t)(check_random(seed) % SLOTS);
    pthread_mutex_lock(&lock);
    struct stress_block old = slot[k];
    slot[k] = b;
    pthread_mutex_unlock(&lock);
    stress_free(&old);
}

/* Its own blocks live across the nap, its magazines too. */
static void *sleeper(void *arg) {
    uint64_t seed = check_seed() * ((uintptr_t)arg * 2 + 1) + 1;
    static __thread struct stress_block own[EACH];
    for (size_t i = 0; i < naps; i++) {
        size_t n = (size_t)(check_random(&seed) % EACH);
        for (size_t k = 0; k < n; k++) {
            trade(&seed, check_random(&seed) % 3 != 0);
            stress_free(&own[k]);
            own[k] = make(&seed);
        }
        stress_sleep((double)(check_random(&seed) % 8000) * 1e-6);
        for (size_t k = 0; k < EACH; k += 1 + (size_t)(check_random(&seed) % 3)) {
            stress_free(&own[k]);
        }
    }
    for (size_t k = 0; k < EACH; k++) {
        stress_free(&own[k]);
    }
    return NULL;
}

/* Grows and shrinks; what is free goes back to the kernel, so that the next growth asks the sleepers first. */
static void *taker(void *arg) {
    uint64_t seed = check_seed() * ((uintptr_t)arg * 2 + 3) + 7;
    struct stress_block *b = calloc(GROWTH, sizeof *b);
    REQUIRE(b != NULL);
    for (size_t i = 0; i < cycles; i++) {
        for (size_t k = 0; k < GROWTH; k++) {
            b[k] = make(&seed);
            if (k % 8 == 0) {
                trade(&seed, false);
            }
        }
        for (size_t k = 0; k < GROWTH; k++) {
            stress_free(&b[k]);
        }
        malloc_trim(0);
    }
    free(b);
    return NULL;
}

static void round_of(uintptr_t r) {
    pthread_t t[SLEEPERS + TAKERS];
    for (uintptr_t i = 0; i < SLEEPERS + TAKERS; i++) {
        t[i] = stress_start(i < SLEEPERS ? sleeper : taker, (void *)(r * 100 + i));
    }
    for (size_t i = 0; i < SLEEPERS + TAKERS; i++) {
        pthread_join(t[i], NULL);
    }
    stress_verify();
}

int main(void) {
    check_start();
    naps = stress_scale(50);
    cycles = stress_scale(20);
    for (uintptr_t r = 0; r < ROUNDS; r++) {
        round_of(r);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        stress_free(&slot[i]);
    }
    return check_done();
}
