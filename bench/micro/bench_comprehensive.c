/* bench_comprehensive.c : 100 live blocks in four orders and six sizes, the notes' first bench. An op is one
 * malloc or one free; of a pair, both together. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LIVE = 100000 };

static uint64_t live = 100, rounds = 500;
static void **slot;
static uint32_t *order; /* a random permutation of the slots */
static uint32_t *sizes; /* size of slot i, for mixed */

/* The first byte is written, as any program would. */
static void *take(size_t size) {
    char *p = bench_check(malloc(size));
    *(volatile char *)p = 1;
    return p;
}

static uint64_t run_pair(void) {
    uint64_t n = live * rounds / 2;
    for (uint64_t i = 0; i < n; i++)
        free(take(sizes[0]));
    return n;
}

static uint64_t run_lifo(void) {
    for (uint64_t r = 0; r < rounds; r++) {
        for (uint64_t i = 0; i < live; i++)
            slot[i] = take(sizes[i]);
        for (uint64_t i = live; i-- > 0;)
            free(slot[i]);
    }
    return 2 * live * rounds;
}

static uint64_t run_fifo(void) {
    for (uint64_t r = 0; r < rounds; r++) {
        for (uint64_t i = 0; i < live; i++)
            slot[i] = take(sizes[i]);
        for (uint64_t i = 0; i < live; i++)
            free(slot[i]);
    }
    return 2 * live * rounds;
}

static uint64_t run_random(void) {
    for (uint64_t r = 0; r < rounds; r++) {
        for (uint64_t i = 0; i < live; i++)
            slot[i] = take(sizes[i]);
        for (uint64_t i = 0; i < live; i++)
            free(slot[order[i]]);
    }
    return 2 * live * rounds;
}

/* Every block lives for exactly `live` allocations: the table is full all the time, and each turn replaces the
 * oldest. */
static uint64_t run_interleaved(void) {
    for (uint64_t i = 0; i < live; i++)
        slot[i] = take(sizes[i]);
    for (uint64_t r = 1; r < rounds; r++)
        for (uint64_t i = 0; i < live; i++) {
            free(slot[i]);
            slot[i] = take(sizes[i]);
        }
    for (uint64_t i = 0; i < live; i++)
        free(slot[i]);
    return 2 * live * rounds;
}

static void fill_sizes(uint32_t size) {
    static const uint32_t mix[4] = {16, 32, 64, 128};
    uint64_t rng = bench_seed() + 7;
    for (uint64_t i = 0; i < live; i++)
        sizes[i] = size ? size : mix[bench_random(&rng) >> 62];
}

int main(int argc, char **argv) {
    static const struct bench_option options[] = {
        {"live", "blocks alive at once", 1, MAX_LIVE, &live},
        {"rounds", "rounds in one window", 2, 1000000000, &rounds},
        {NULL, NULL, 0, 0, NULL},
    };
    static const struct bench_program program = {"bench_comprehensive",
                                                 "LIFO, FIFO, random and interleaved order of 100 live blocks of 16 to "
                                                 "1000 B and mixed; ns, instructions and branches\n"
                                                 "an op, where an op is one malloc or one free (of pair-*: both).",
                                                 "bench_comprehensive --case lifo --live 1000",
                                                 options,
                                                 NULL,
                                                 0};
    static const struct {
        const char *name;
        uint64_t (*run)(void);
    } patterns[] = {{"pair", run_pair},
                    {"lifo", run_lifo},
                    {"fifo", run_fifo},
                    {"random", run_random},
                    {"interleaved", run_interleaved}};
    static const uint32_t kinds[] = {16, 32, 64, 128, 1000, 0};

    bench_init(&program, argc, argv);
    slot = bench_array(live * sizeof *slot);
    order = bench_array(live * sizeof *order);
    sizes = bench_array(live * sizeof *sizes);
    uint64_t rng = bench_seed();
    bench_shuffle(order, (uint32_t)live, &rng);
    for (size_t p = 0; p < sizeof patterns / sizeof *patterns; p++)
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            char name[32];
            if (kinds[k])
                snprintf(name, sizeof name, "%s-%u", patterns[p].name, kinds[k]);
            else
                snprintf(name, sizeof name, "%s-mixed", patterns[p].name);
            struct bench_case run;
            if ((p == 0 && !kinds[k]) || !bench_begin(&run, name))
                continue;
            fill_sizes(kinds[k]);
            bench_windows(&run, patterns[p].run);
        }
    return bench_finish();
}
