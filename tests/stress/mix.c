/* mix.c : every function of the family at random over private slots, in several threads, blocks checked by pattern; a tenth of the
 * blocks is handed to another thread (all to all). usage: mix [threads [thousands of operations a thread]] */
#include "alloc.h"

enum { SLOTS = 300, SHARED = 64, MAX_THREADS = 16 };

static struct stress_block *shared[SHARED]; /* boxes: allocated too, and exchanged atomically */
static size_t operations;

static void *allocate(uint64_t *seed, size_t n) {
    switch (check_random(seed) % 6) {
    case 0: {
        unsigned char *p = calloc(1, n);
        REQUIRE(p != NULL);
        CHECK(p[0] == 0 && p[n / 3] == 0 && p[n / 2] == 0 && p[n - 1] == 0);
        return p;
    }
    case 1: {
        size_t alignment = (size_t)16 << (check_random(seed) % (check_random(seed) % 64 ? 5 : 13));
        void *p = aligned_alloc(alignment, n);
        CHECK(is_aligned(p, alignment));
        return p;
    }
    default:
        return malloc(n);
    }
}

static void resize(struct stress_block *b, uint64_t *seed) {
    size_t to = stress_size(seed);
    unsigned char *p = realloc(b->at, to);
    REQUIRE(p != NULL);
    struct stress_block moved = {p, b->size, b->mark};
    CHECK(stress_intact(&moved, b->size < to ? b->size : to));
    *b = stress_take(p, to, check_random(seed));
}

static void trade(struct stress_block *b, uint64_t *seed) {
    struct stress_block *box = malloc(sizeof *box);
    REQUIRE(box != NULL);
    *box = *b;
    b->at = NULL;
    box = __atomic_exchange_n(&shared[check_random(seed) % SHARED], box, __ATOMIC_ACQ_REL);
    if (box) {
        *b = *box;
        free(box);
    }
}

static void *run(void *arg) {
    uint64_t seed = check_seed() * ((uintptr_t)arg * 2 + 1) + 1;
    struct stress_block slot[SLOTS] = {{0}};
    for (size_t i = 0; i < operations; i++) {
        struct stress_block *b = &slot[check_random(&seed) % SLOTS];
        uint64_t what = check_random(&seed) % 20;
        if (!b->at) {
            size_t n = stress_size(&seed);
            *b = stress_take(allocate(&seed, n), n, check_random(&seed));
        } else if (what < 2) {
            trade(b, &seed);
        } else if (what < 5) {
            resize(b, &seed);
        } else {
            stress_free(b);
        }
    }
    for (size_t i = 0; i < SLOTS; i++) {
        stress_free(&slot[i]);
    }
    return NULL;
}

int main(int argc, char **argv) {
    check_start();
    size_t threads = argc > 1 ? strtoull(argv[1], NULL, 10) : 4;
    operations = stress_scale((argc > 2 ? strtoull(argv[2], NULL, 10) : 300) * 1000);
    pthread_t t[MAX_THREADS];
    REQUIRE(threads >= 1 && threads <= MAX_THREADS);
    for (uintptr_t i = 0; i < threads; i++) {
        t[i] = stress_start(run, (void *)(i + 1));
    }
    for (size_t i = 0; i < threads; i++) {
        pthread_join(t[i], NULL);
    }
    stress_verify();
    for (size_t i = 0; i < SHARED; i++) {
        if (shared[i]) {
            stress_free(shared[i]);
            free(shared[i]);
        }
    }
    stress_verify();
    return check_done();
}
