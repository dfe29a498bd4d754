/* bench_calloc.c : zeroed memory: small pairs, a mix of live slots, and blocks so large that known-fresh memory
 * need not be zeroed. An op is one calloc with its free. */
#include "bench.h"

#include <stdlib.h>

enum { SLOTS = 400 };
static void *slot[SLOTS];
static uint64_t rng;

static char *take(size_t n, size_t size) {
    char *p = bench_check(calloc(n, size));
    if (*(volatile char *)p)
        bench_die("calloc gave memory that is not zero");
    *(volatile char *)p = 1;
    return p;
}

static uint64_t run_pair(uint64_t size) {
    enum { N = 50000 };
    for (int i = 0; i < N; i++)
        free(take(1, size));
    return N;
}

static uint64_t run_slots(uint64_t most) {
    enum { N = 50000 };
    for (int i = 0; i < N; i++) {
        uint64_t at = bench_between(&rng, 0, SLOTS - 1);
        free(slot[at]);
        slot[at] = take(1, bench_between(&rng, 16, most));
    }
    return N;
}

/* A burst of fresh blocks of which one byte in 64 KiB is used: zeroing all of it would touch every page. */
static uint64_t run_sparse(uint64_t size) {
    enum { N = 16 };
    char *block[N];
    for (int i = 0; i < N; i++) {
        block[i] = take(size / 16, 16);
        for (uint64_t at = 0; at < size; at += 65536)
            block[i][at] = 1;
    }
    for (int i = 0; i < N; i++)
        free(block[i]);
    return N;
}

int main(int argc, char **argv) {
    static const struct bench_program program = {
        "bench_calloc",
        "calloc: pairs, 400 live slots, sparsely used large blocks; an op is one calloc with its free.",
        "bench_calloc --case slots",
        NULL,
        NULL,
        0};
    static const struct {
        const char *name;
        uint64_t (*run)(uint64_t);
        uint64_t size;
    } cases[] = {{"pair-64", run_pair, 64},
                 {"pair-1000", run_pair, 1000},
                 {"slots-1024", run_slots, 1024},
                 {"sparse-1M", run_sparse, 1 << 20},
                 {"sparse-16M", run_sparse, 16 << 20}};
    bench_init(&program, argc, argv);
    rng = bench_seed();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct bench_case run;
        if (!bench_begin(&run, cases[i].name))
            continue;
        while (bench_more(&run)) {
            bench_start(&run);
            bench_stop(&run, cases[i].run(cases[i].size));
        }
        bench_report(&run);
    }
    return bench_finish();
}
