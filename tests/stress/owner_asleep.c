/* owner_asleep.c : memory stays bounded by the live bytes when the thread that owns the blocks does nothing.
 *   owner_asleep asleep      one thread allocates and then sleeps; others free its blocks, allocate and free on
 *   owner_asleep freeonly    one thread only allocates, another only frees, for ever
 *   owner_asleep handover    threads in turn allocate a generation and sleep; the next one frees it and allocates its own
 *   owner_asleep rotate KIB  threads in turn allocate a burst of many sizes and sleep, while one that only frees takes it all
 * Bound: 1.1 x live + 4 MiB over the process's own start, and 55 KiB, or KIB, for each thread that sleeps. */
#include "alloc.h"

enum { LIVE = 48 << 20, SIZE = 600, COUNT = LIVE / SIZE, GENERATIONS = 10 };

static void *block[COUNT];
static size_t start;

static size_t a_thread = 55 << 10;

static void bound(const char *what, size_t live, size_t threads) {
    size_t rss = stress_status("VmRSS:"), own = rss > start ? rss - start : 0;
    size_t most = live + live / 10 + ((size_t)4 << 20) + threads * a_thread;
    printf("%s: live %zu KiB, RSS %zu KiB, bound %zu KiB\n", what, live >> 10, own >> 10, most >> 10);
    CHECK(own <= most);
}

static void take(size_t from, size_t to, size_t step) {
    for (size_t i = from; i < to; i += step) {
        block[i] = malloc(SIZE);
        REQUIRE(block[i] != NULL);
        memset(block[i], 1, SIZE);
    }
}

static void give(size_t from, size_t to, size_t step) {
    for (size_t i = from; i < to; i += step) {
        free(block[i]);
        block[i] = NULL;
    }
}

static pthread_barrier_t turn;

static void *owner(void *arg) {
    take(0, COUNT, 1);
    pthread_barrier_wait(&turn);
    pthread_barrier_wait(&turn); /* sleeps here until the end */
    return arg;
}

/* The workers' own allocations must find the memory that they freed for the sleeper. */
static void asleep(void) {
    pthread_t t = stress_start(owner, NULL);
    pthread_barrier_wait(&turn);
    bound("owner asleep, all live", LIVE, 1);
    for (int round = 0; round < GENERATIONS; round++) {
        give(0, COUNT, 1);
        take(0, COUNT, 1);
        bound("owner asleep, freed and allocated by another", LIVE, 1);
    }
    pthread_barrier_wait(&turn);
    pthread_join(t, NULL);
    give(0, COUNT, 1);
}

enum { BATCH = 4000, BATCHES = 200, DEPTH = 4 };
static void *batch[DEPTH][BATCH];
static pthread_barrier_t step;

static void *only_frees(void *arg) {
    for (int i = 0; i < BATCHES; i++) {
        pthread_barrier_wait(&step);
        for (int k = 0; k < BATCH; k++) {
            free(batch[i % DEPTH][k]);
        }
    }
    return arg;
}

static void freeonly(void) {
    pthread_barrier_init(&step, NULL, 2);
    pthread_t t = stress_start(only_frees, NULL);
    size_t worst = 0;
    for (int i = 0; i < BATCHES; i++) {
        for (int k = 0; k < BATCH; k++) {
            size_t n = SIZE + (size_t)(k % 13) * 100;
            batch[i % DEPTH][k] = malloc(n);
            REQUIRE(batch[i % DEPTH][k] != NULL);
            memset(batch[i % DEPTH][k], 1, n);
        }
        pthread_barrier_wait(&step);
        size_t rss = stress_status("VmRSS:");
        worst = rss > worst ? rss : worst;
    }
    pthread_join(t, NULL);
    size_t live = (size_t)2 * BATCH * (SIZE + 600); /* one batch being made, one being freed */
    printf("free-only thread: live %zu KiB, worst RSS %zu KiB over the start\n", live >> 10, (worst - start) >> 10);
    CHECK(worst - start <= live + live / 10 + ((size_t)4 << 20));
}

static void *generation(void *arg) {
    give(0, COUNT, 1);
    take(0, COUNT, 1);
    pthread_barrier_wait((pthread_barrier_t *)arg);
    pthread_barrier_wait(&turn); /* all sleep until the end */
    return NULL;
}

static void handover(void) {
    pthread_t t[GENERATIONS];
    pthread_barrier_t made, *p = &made;
    pthread_barrier_init(p, NULL, 2);
    pthread_barrier_destroy(&turn);
    pthread_barrier_init(&turn, NULL, GENERATIONS + 1);
    for (int i = 0; i < GENERATIONS; i++) {
        t[i] = stress_start(generation, p);
        pthread_barrier_wait(p);
        bound("generation", LIVE, (size_t)i + 1);
    }
    pthread_barrier_wait(&turn);
    for (int i = 0; i < GENERATIONS; i++) {
        pthread_join(t[i], NULL);
    }
    give(0, COUNT, 1);
}

enum { OWNERS = 16, BURST = 24 << 20, BURST_MIN = 64, BURST_MAX = 512 };

static void *burst_block[BURST / BURST_MIN];
static size_t burst_blocks;
static pthread_barrier_t filled, freed;

static void *burst_owner(void *arg) {
    uint64_t seed = check_seed() + (uintptr_t)arg;
    burst_blocks = 0;
    for (size_t bytes = 0; bytes < BURST;) {
        size_t n = check_random_size(&seed, BURST_MIN, BURST_MAX);
        void *p = malloc(n);
        REQUIRE(p != NULL);
        memset(p, 1, n);
        burst_block[burst_blocks++] = p;
        bytes += n;
    }
    bound("burst", BURST, (uintptr_t)arg + 1);
    pthread_barrier_wait(&filled);
    pthread_barrier_wait(&turn); /* all sleep until the end */
    return NULL;
}

static void *burst_free(void *arg) {
    for (int i = 0; i < OWNERS; i++) {
        pthread_barrier_wait(&filled);
        for (size_t k = 0; k < burst_blocks; k++) {
            free(burst_block[k]);
        }
        pthread_barrier_wait(&freed);
    }
    return arg;
}

/* What earlier owners were given back must serve the next. */
static void rotate(void) {
    pthread_t t[OWNERS], consumer;
    pthread_barrier_init(&filled, NULL, 2);
    pthread_barrier_init(&freed, NULL, 2);
    pthread_barrier_destroy(&turn);
    pthread_barrier_init(&turn, NULL, OWNERS + 1);
    memset(burst_block, 0xff, sizeof burst_block);
    start = stress_status("VmRSS:");
    consumer = stress_start(burst_free, NULL);
    for (uintptr_t i = 0; i < OWNERS; i++) {
        t[i] = stress_start(burst_owner, (void *)i);
        pthread_barrier_wait(&freed);
    }
    pthread_barrier_wait(&turn);
    for (size_t i = 0; i < OWNERS; i++) {
        pthread_join(t[i], NULL);
    }
    pthread_join(consumer, NULL);
}

static void case_of(const char *what) {
    static const struct {
        const char *name;
        void (*body)(void);
    } all[] = {{"asleep", asleep}, {"freeonly", freeonly}, {"handover", handover}, {"rotate", rotate}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(what, all[i].name) == 0) {
            all[i].body();
            return;
        }
    }
    REQUIRE(false && "a case of this name");
}

int main(int argc, char **argv) {
    check_start();
    memset(block, 0xff, sizeof block); /* the notes are resident before the count starts */
    memset(block, 0, sizeof block);
    memset(batch, 0xff, sizeof batch);
    pthread_barrier_init(&turn, NULL, 2);
    start = stress_status("VmRSS:");
    a_thread = (argc > 2 ? strtoull(argv[2], NULL, 10) : 55) << 10;
    case_of(argc > 1 ? argv[1] : "asleep");
    return check_done();
}
