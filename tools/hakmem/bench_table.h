/* bench_table.h : running benches under allocators, and the table of what came out. */
#ifndef HAKMEM_BENCH_TABLE_H
#define HAKMEM_BENCH_TABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BENCH_MOST = 64, BENCH_MOST_ALLOCATORS = 12 };

struct bench_plan {
    char *directory;         /* where the programs bench_NAME lie */
    char *bench[BENCH_MOST]; /* their names without bench_ */
    size_t benches;
    char *library[BENCH_MOST_ALLOCATORS]; /* the first two are libc: the reference and the A/A control */
    const char *label[BENCH_MOST_ALLOCATORS];
    size_t allocators;
    uint64_t rounds, seed; /* rounds: at most so many */
    double budget;         /* seconds for all; a bench is begun again only when it fits; INFINITY: all rounds */
    const char *milliseconds, *prefix; /* for the programs; prefix may be NULL */
    bool quick;
    int cpu;
};

/* Runs everything, round after round, until all is done, the budget is spent (the first round is always whole) or interrupted(), and returns the record:
 * {"tool": "hakmem bench", "machine", "allocators": [{"label", "library"}], "rounds": begun, "seconds", "stopped": why it ended,
 *  "rows": [{"bench", "case", "measure", "libc": value, "rounds", "ratios": [{"label", "ratio", "low", "high", "same": within the A/A spread}]}],
 *  "geomeans": [{"label", "measure", "ratio"}], "missing": [benches that no round reached], "failures", "samples"} */
json_t *bench_run(const struct bench_plan *plan);
void bench_print(const json_t *document);

#endif
