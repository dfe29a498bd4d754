/* bench_large.c : blocks beyond the size classes. grow: one buffer grows by half from 64 KiB to --max, each new
 * page written. blocks: 2.1 MiB blocks, just past a huge page. random: 5 to 25 MiB in 20 slots, as in the bench of
 * the same idea in the literature. An op is one realloc, or one malloc with its free; pages are written, so faults
 * are part of it. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 20, PAGE = 4096 };

static uint64_t most = 1 << 30, replacements = 60;
static char *slot[SLOTS];

static void touch(char *p, size_t from, size_t to) {
    for (size_t at = from; at < to; at += PAGE)
        p[at] = 1;
}

static uint64_t run_grow(uint64_t limit) {
    uint64_t ops = 0;
    char *p = NULL;
    size_t had = 0;
    for (size_t n = 65536; n <= limit; n += n / 2, ops++) {
        p = bench_check(realloc(p, n));
        if (had && p[had - 1] != 7)
            bench_die("realloc to %zu bytes lost data", n);
        touch(p, had, n);
        p[n - 1] = 7;
        had = n;
    }
    free(p);
    return ops;
}

static uint64_t run_slots(unsigned slots, size_t low, size_t high) {
    uint64_t rng = bench_seed(), n = bench_quick() ? 4 : replacements;
    for (uint64_t i = 0; i < n; i++) {
        uint64_t at = bench_between(&rng, 0, slots - 1);
        free(slot[at]);
        size_t size = bench_between(&rng, low, high);
        slot[at] = bench_check(malloc(size));
        touch(slot[at], 0, size);
    }
    return n;
}

static void clear(void) {
    for (unsigned i = 0; i < SLOTS; i++) {
        free(slot[i]);
        slot[i] = NULL;
    }
}

static uint64_t run_blocks(void) { return run_slots(8, 2150 << 10, 2150 << 10); }

static uint64_t run_random(void) { return run_slots(SLOTS, 5 << 20, 25 << 20); }

static uint64_t run_grow_16m(void) { return run_grow(16 << 20); }

static void measure(const char *name, uint64_t (*body)(void)) {
    struct bench_case run;
    if (!bench_begin(&run, name))
        return;
    while (bench_more(&run)) {
        bench_start(&run);
        bench_stop(&run, body());
    }
    bench_report(&run);
    clear();
}

int main(int argc, char **argv) {
    static const struct bench_option options[] = {
        {"max", "size at which grow ends", 65536, (uint64_t)1 << 40, &most},
        {"replacements", "blocks replaced in one window of blocks and random", 1, 1 << 30, &replacements},
        {NULL, NULL, 0, 0, NULL},
    };
    static const struct bench_program program = {
        "bench_large",
        "Large blocks: growth by realloc to 1 GiB, 2.1 MiB blocks, random 5-25 MiB; every page is written.",
        "bench_large --max 256M --case grow",
        options,
        NULL,
        0};
    bench_init(&program, argc, argv);
    if (bench_quick())
        most = most < 4 << 20 ? most : 4 << 20;
    measure("blocks-2.1M", run_blocks);
    measure("random-5-25M", run_random);
    measure("grow-16M", run_grow_16m);
    struct bench_case run;
    if (bench_begin_once(&run, "grow-max")) {
        bench_start(&run);
        bench_stop(&run, run_grow(most));
        bench_report(&run);
    }
    return bench_finish();
}
