/* reallocs.c : buffers that grow and shrink in steps, by doubling and at random, from bytes to tens of megabytes, in several threads,
 * interleaved with small blocks that stand in the way. Other threads resize blocks that they did not allocate. */
#include "alloc.h"

enum { THREADS = 3, BUFFERS = 12, SHARED = 8 };

static struct stress_block shared[SHARED];
static pthread_mutex_t lock[SHARED];

static void resize(struct stress_block *b, size_t to, uint64_t *seed) {
    unsigned char *p = realloc(b->at, to);
    REQUIRE(p != NULL);
    if (b->at) {
        struct stress_block moved = {p, b->size, b->mark};
        CHECK(stress_intact(&moved, b->size < to ? b->size : to));
    }
    *b = stress_take(p, to, check_random(seed));
}

static size_t next_size(size_t n, uint64_t *seed) {
    switch (check_random(seed) % 8) {
    case 0:
        return check_random_size(seed, 1, 3000000);
    case 1:
        return n / 2 + 1;
    case 2:
        return n * 2 + 1;
    case 3:
        return n + n / 8 + 16;
    case 4:
        return n > 100 ? n - 100 : 1;
    default:
        return n + 40;
    }
}

static void *run(void *arg) {
    uint64_t seed = check_seed() * ((uintptr_t)arg * 2 + 1) + 1;
    struct stress_block buffer[BUFFERS] = {{0}}, obstacle[BUFFERS] = {{0}};
    size_t rounds = stress_scale(12000);
    for (size_t i = 0; i < rounds; i++) {
        size_t k = (size_t)(check_random(&seed) % BUFFERS);
        size_t to = next_size(buffer[k].size, &seed);
        resize(&buffer[k], to > ((size_t)4 << 20) ? 1000 : to, &seed);
        if (i % 5 == 0) {
            stress_free(&obstacle[k]);
            size_t n = check_random_size(&seed, 1, 70000);
            obstacle[k] = stress_take(malloc(n), n, check_random(&seed));
        }
        if (i % 7 == 0) {
            size_t s = (size_t)(check_random(&seed) % SHARED);
            pthread_mutex_lock(&lock[s]);
            resize(&shared[s], check_random_size(&seed, 1, 600000), &seed);
            pthread_mutex_unlock(&lock[s]);
        }
    }
    for (size_t k = 0; k < BUFFERS; k++) {
        stress_free(&buffer[k]);
        stress_free(&obstacle[k]);
    }
    return NULL;
}

/* One vector as programs grow it: by half each time, to 256 MB, then back. */
static void long_vector(void) {
    uint64_t seed = check_seed();
    struct stress_block b = {0};
    for (size_t n = 1; n < (size_t)256 << 20; n += n / 2 + 1) {
        resize(&b, n, &seed);
    }
    while (b.size > 1000) {
        resize(&b, b.size / 3, &seed);
    }
    stress_free(&b);
}

/* A block so large that it may lie in huge pages but for its start, which makes it two mappings to the kernel: it is moved, not copied. */
static void long_and_sparse(void) {
    enum { MB = 1 << 20 };
    char *p = malloc((size_t)80 * MB);
    REQUIRE(p != NULL);
    memset(p, 1, (size_t)6 * MB);
    size_t before = stress_status("VmRSS:");
    for (size_t n = 100; n <= 400; n += 100) {
        p = realloc(p, n * MB);
        REQUIRE(p != NULL);
        CHECK(p[0] == 1 && p[6 * MB - 1] == 1);
        p[n * MB - 1] = 1;
    }
    CHECK(STRESS_SLOW || stress_status("VmRSS:") < before + (size_t)20 * MB);
    free(p);
}

int main(void) {
    check_start();
    for (size_t i = 0; i < SHARED; i++) {
        pthread_mutex_init(&lock[i], NULL);
    }
    pthread_t t[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        t[i] = stress_start(run, (void *)i);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
    }
    long_vector();
    long_and_sparse();
    for (size_t i = 0; i < SHARED; i++) {
        stress_free(&shared[i]);
    }
    stress_verify();
    return check_done();
}
