/* bench_larson.c : a server under load, after Larson and Krishnan, "Memory allocation for long-running server
 * applications" (ISMM 1998). Each lane is a table of blocks. Its thread replaces random blocks by new ones of
 * random size; after a while the thread ends and hands the table to a new thread, which so frees what others
 * allocated. The tables are filled by the main thread. An op is one free with the malloc that replaces it. A
 * window is a fixed amount of work, so that resident memory can be compared. */
#include "bench.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

struct profile {
    const char *name;
    uint64_t low, high, blocks, rounds;
};

struct lane {
    char **block;
    uint64_t rng, generations;
    const struct profile *profile;
    sem_t *done;
    char pad[64]; /* lanes are written by different threads */
};

enum { MAX_THREADS = 1024 };

static uint64_t threads = 8, generations = 8, low, high, blocks;
static struct lane lanes[MAX_THREADS];

static char *take(struct lane *lane) {
    size_t size = bench_between(&lane->rng, lane->profile->low, lane->profile->high);
    char *p = bench_check(malloc(size));
    p[0] = 1;
    p[size - 1] = 1;
    return p;
}

static void start_thread(struct lane *lane);

static void *serve(void *argument) {
    struct lane *lane = argument;
    const struct profile *p = lane->profile;
    for (uint64_t i = 0; i < p->blocks * p->rounds; i++) {
        uint64_t at = bench_between(&lane->rng, 0, p->blocks - 1);
        free(lane->block[at]);
        lane->block[at] = take(lane);
    }
    if (--lane->generations)
        start_thread(lane);
    else
        sem_post(lane->done);
    return NULL;
}

static void start_thread(struct lane *lane) {
    pthread_t id;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    int error = pthread_create(&id, &attributes, serve, lane);
    pthread_attr_destroy(&attributes);
    if (error)
        bench_die("cannot start a thread: %s", strerror(error));
}

static uint64_t run_window(const struct profile *p, uint64_t n) {
    sem_t done;
    sem_init(&done, 0, 0);
    for (uint64_t t = 0; t < n; t++) {
        lanes[t].generations = generations;
        lanes[t].done = &done;
        start_thread(&lanes[t]);
    }
    for (uint64_t t = 0; t < n; t++)
        while (sem_wait(&done) != 0)
            continue;
    sem_destroy(&done);
    return n * generations * p->blocks * p->rounds;
}

static void measure(const struct profile *p, uint64_t n) {
    struct bench_case run;
    if (!bench_begin(&run, p->name))
        return;
    for (uint64_t t = 0; t < n; t++) {
        lanes[t].profile = p;
        lanes[t].rng = bench_seed() + t * 1000;
        lanes[t].block = bench_array(p->blocks * sizeof(char *));
        for (uint64_t i = 0; i < p->blocks; i++)
            lanes[t].block[i] = take(&lanes[t]);
    }
    while (bench_more(&run)) {
        bench_start(&run);
        bench_stop(&run, run_window(p, n));
    }
    double live = (double)(n * p->blocks) * (double)(p->low + p->high) / 2;
    bench_extra(&run, "peak_over_live", (double)bench_peak_rss() / live, "");
    bench_report(&run);
    for (uint64_t t = 0; t < n; t++) {
        for (uint64_t i = 0; i < p->blocks; i++)
            free(lanes[t].block[i]);
        bench_array_free(lanes[t].block, p->blocks * sizeof(char *));
    }
}

int main(int argc, char **argv) {
    static const struct bench_option options[] = {
        {"threads", "lanes, each with one running thread", 1, MAX_THREADS, &threads},
        {"generations", "threads that follow each other in a lane, each window", 1, 1000000, &generations},
        {"min", "smallest size, with --max: a profile of your own", 0, 1 << 30, &low},
        {"max", "largest size", 0, 1 << 30, &high},
        {"blocks", "blocks in a lane's table; 0: as the profile says", 0, 1 << 28, &blocks},
        {NULL, NULL, 0, 0, NULL},
    };
    static const struct bench_program program = {
        "bench_larson",
        "A server: threads replace random blocks and hand their tables to the next thread; an op is one free and one "
        "malloc.\n"
        "Profiles: tiny 8-128 B, server 8-1000 B, mid 512 B-8 KiB, large 8-64 KiB.",
        "bench_larson --profile server --threads 8",
        options,
        "tiny|server|mid|large",
        0};
    static const struct profile profiles[] = {{"tiny", 8, 128, 1000, 20},
                                              {"server", 8, 1000, 2500, 8},
                                              {"mid", 512, 8192, 500, 20},
                                              {"large", 8192, 65536, 100, 40}};
    bench_init(&program, argc, argv);
    if (bench_quick()) {
        threads = threads < 2 ? threads : 2;
        generations = 2;
    }
    if (low || high) {
        struct profile own = {"own", low ? low : 1, high ? high : 1024, blocks ? blocks : 1000, 20};
        if (own.low > own.high)
            bench_die("min %llu is larger than max %llu", (unsigned long long)own.low, (unsigned long long)own.high);
        measure(&own, threads);
        return bench_finish();
    }
    for (size_t i = 0; i < sizeof profiles / sizeof *profiles; i++) {
        struct profile p = profiles[i];
        p.blocks = blocks ? blocks : p.blocks;
        if (!bench_profile() || !strcmp(bench_profile(), p.name))
            measure(&p, threads);
    }
    return bench_finish();
}
