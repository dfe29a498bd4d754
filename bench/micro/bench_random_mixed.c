/* bench_random_mixed.c : random slots of random sizes, the notes' headline. Each op draws a slot: an empty one
 * gets a block, a full one loses its block. About half of the slots are live in the long run. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

struct mix {
    const char *name;
    uint64_t slots, low, high;
    bool log; /* log-uniform sizes */
};

static uint64_t iterations, slots, low, high, seed = 1, rng;
static void **slot;

static uint64_t run_mix(const struct mix *m, uint64_t ops) {
    uint64_t state = rng;
    for (uint64_t i = 0; i < ops; i++) {
        uint64_t at = bench_between(&state, 0, m->slots - 1);
        if (slot[at]) {
            free(slot[at]);
            slot[at] = NULL;
            continue;
        }
        size_t size = m->log ? bench_between_log(&state, m->low, m->high) : bench_between(&state, m->low, m->high);
        char *p = bench_check(malloc(size));
        *(volatile char *)p = (char)i;
        slot[at] = p;
    }
    rng = state;
    return ops;
}

static void measure(const struct mix *m) {
    struct bench_case run;
    if (!bench_begin(&run, m->name))
        return;
    slot = bench_array(m->slots * sizeof *slot);
    rng = seed;
    uint64_t window = 40 * m->slots < 100000 ? 100000 : 40 * m->slots;
    if (iterations) { /* the user said how many: one window of just so many */
        run.done = 1;
        bench_start(&run);
        bench_stop(&run, run_mix(m, iterations));
    } else {
        while (bench_more(&run)) {
            bench_start(&run);
            bench_stop(&run, run_mix(m, bench_quick() ? 2000 : window));
        }
    }
    bench_report(&run);
    for (uint64_t i = 0; i < m->slots; i++)
        free(slot[i]);
    bench_array_free(slot, m->slots * sizeof *slot);
}

int main(int argc, char **argv) {
    static const struct bench_option options[] = {
        {"iterations", "ops to run in all; 0: by time", 0, 1000000000000, &iterations},
        {"slots", "slots; 0: the built-in cases", 0, 100000000, &slots},
        {"min", "smallest size", 0, 1 << 30, &low},
        {"max", "largest size", 0, 1 << 30, &high},
        {"seed", "start of the random numbers", 0, UINT64_MAX, &seed},
        {NULL, NULL, 0, 0, NULL},
    };
    static const struct bench_program program = {
        "bench_random_mixed",
        "Random malloc and free over a table of slots; an op is one malloc or one free, the drawing of the slot "
        "included.\n"
        "Profiles: c6 (257 to 512 B) and c7 (513 to 1024 B) are the notes' C6-heavy and C7-heavy.",
        "bench_random_mixed 20000000 400 16 1024 1",
        options,
        "mix400|mix10k|mix1k-large|mix-log|c6|c7",
        5};
    static const struct mix mixes[] = {
        {"mix400", 400, 16, 1024, false},
        {"mix10k", 10000, 16, 1024, false},
        {"mix1k-large", 1000, 1024, 32768, false},
        {"mix-log", 1000, 16, 65536, true},
        {"c6", 400, 257, 512, false},
        {"c7", 400, 513, 1024, false},
    };
    bench_init(&program, argc, argv);
    if (slots || low || high) {
        struct mix own = {"own", slots ? slots : 400, low ? low : 16, high ? high : 1024, false};
        if (own.low > own.high)
            bench_die("min %llu is larger than max %llu", (unsigned long long)own.low, (unsigned long long)own.high);
        measure(&own);
        return bench_finish();
    }
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        if (!bench_profile() || !strcmp(bench_profile(), mixes[i].name))
            measure(&mixes[i]);
    return bench_finish();
}
