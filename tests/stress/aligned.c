/* aligned.c : aligned blocks of every alignment to 4 MiB, small and large, from several threads; freed by others, resized, reused. */
#include "alloc.h"

enum { THREADS = 3, SLOTS = 128 };

static struct stress_block shared[SLOTS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct stress_block make(uint64_t *seed) {
    size_t shift = (size_t)(check_random(seed) % (check_random(seed) % 30 ? 10 : 19)) + 4;
    size_t alignment = (size_t)1 << shift, n = check_random_size(seed, 1, check_random(seed) % 40 ? 5000 : 800000);
    void *p = NULL;
    CHECK(posix_memalign(&p, alignment, n) == 0);
    CHECK(is_aligned(p, alignment));
    CHECK(malloc_usable_size(p) >= n);
    return stress_take(p, n, check_random(seed));
}

static void *run(void *arg) {
    uint64_t seed = check_seed() * ((uintptr_t)arg * 2 + 1) + 1;
    size_t rounds = stress_scale(60000);
    for (size_t i = 0; i < rounds; i++) {
        struct stress_block b = make(&seed);
        if (i % 9 == 0) {
            size_t to = check_random_size(&seed, 1, 20000);
            unsigned char *p = realloc(b.at, to);
            REQUIRE(p != NULL);
            struct stress_block moved = {p, b.size, b.mark};
            CHECK(stress_intact(&moved, b.size < to ? b.size : to));
            b = stress_take(p, to, b.mark);
        }
        size_t k = (size_t)(check_random(&seed) % SLOTS);
        pthread_mutex_lock(&lock);
        struct stress_block old = shared[k];
        shared[k] = b;
        pthread_mutex_unlock(&lock);
        stress_free(&old);
    }
    return NULL;
}

int main(void) {
    check_start();
    pthread_t t[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        t[i] = stress_start(run, (void *)i);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
    }
    for (size_t i = 0; i < SLOTS; i++) {
        stress_free(&shared[i]);
    }
    stress_verify();
    return check_done();
}
