/* bench_frag.c : fragmentation under shifting sizes. Each phase fills the heap up to the live target with blocks
 * of its own range of sizes, then frees a random 90 % of all blocks; the survivors stay scattered under the next
 * phase. shifting: log-uniform sizes whose range moves up by 30 % a phase, from 16-2048 B. jumping: ranges that do
 * not overlap from phase to phase, so that no class can reuse what the last one left; the worst case for size
 * classes. Reported: resident memory over live bytes at the fullest moment of the phases (peak) and after the last
 * 90 % went (after). Every byte is written. An op is one malloc or one free. release: --release bytes of small and
 * medium blocks are freed; what part is still resident at once, after --wait milliseconds without any call, and
 * after a thousand calls more. */
#define _GNU_SOURCE
#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct block {
    char *at;
    size_t size;
};

static uint64_t release_bytes = 256 << 20, wait_ms = 2000;
static uint64_t live_target = 48 << 20, phases = 6, keep = 10;
static struct block *table;
static uint64_t count, live, rng;

static const struct {
    uint32_t low, high;
} jumps[] = {{16, 128}, {200, 400}, {64, 256}, {512, 2048}, {32, 96}, {1000, 4000}, {128, 512}, {2048, 8192}};

static size_t size_shifting(uint64_t phase) {
    uint64_t low = 16, high = 2048;
    for (uint64_t i = 0; i < phase; i++) {
        low = low * 13 / 10;
        high = high * 13 / 10;
    }
    return bench_between_log(&rng, low, high);
}

static size_t size_jumping(uint64_t phase) {
    uint64_t at = phase % (sizeof jumps / sizeof *jumps);
    return bench_between(&rng, jumps[at].low, jumps[at].high);
}

static size_t size_release(uint64_t phase) {
    (void)phase;
    return bench_between_log(&rng, 64, 65536);
}

static uint64_t fill(size_t (*draw)(uint64_t), uint64_t phase, uint64_t room) {
    uint64_t ops = 0;
    for (; live < live_target; ops++) {
        if (count == room)
            bench_die("the table of %llu blocks is full", (unsigned long long)room);
        size_t size = draw(phase);
        char *p = bench_check(malloc(size));
        memset(p, 1, size);
        table[count++] = (struct block){p, size};
        live += size;
    }
    return ops;
}

/* Each block dies with a chance of 90 %; the order of the deaths is the table's, which earlier phases have shuffled. */
static uint64_t thin(void) {
    uint64_t kept = 0, before = count;
    for (uint64_t i = count; i > 1; i--) {
        uint64_t j = bench_between(&rng, 0, i - 1);
        struct block t = table[i - 1];
        table[i - 1] = table[j];
        table[j] = t;
    }
    for (uint64_t i = 0; i < count; i++)
        if (bench_between(&rng, 0, 99) < keep) {
            table[kept++] = table[i];
        } else {
            live -= table[i].size;
            free(table[i].at);
        }
    count = kept;
    return before - kept;
}

static double over_live(uint64_t before) {
    uint64_t now = bench_rss();
    return live && now > before ? (double)(now - before) / (double)live : 0;
}

static void measure(const char *name, size_t (*draw)(uint64_t)) {
    struct bench_case run;
    if (!bench_begin_once(&run, name))
        return;
    uint64_t room = live_target / 16 + 16;
    table = bench_array(room * sizeof *table);
    rng = bench_seed();
    uint64_t before = bench_rss(), ops = 0;
    double peak = 0, mean = 0;
    bench_start(&run);
    for (uint64_t p = 0; p < phases; p++) {
        ops += fill(draw, p, room);
        double now = over_live(before);
        peak = now > peak ? now : peak;
        mean += now / (double)phases;
        ops += thin();
    }
    bench_stop(&run, ops);
    bench_extra(&run, "peak_over_live", peak, "x");
    bench_extra(&run, "mean_over_live", mean, "x");
    bench_extra(&run, "after_over_live", over_live(before), "x");
    while (count)
        free(table[--count].at);
    live = 0;
    bench_extra(&run, "left_mib", ((double)bench_rss() - (double)before) / (1 << 20), "MiB");
    bench_report(&run);
    bench_array_free(table, room * sizeof *table);
}

static void extra_percent(struct bench_case *run, const char *name, uint64_t before, uint64_t full) {
    double left = (double)bench_rss() - (double)before;
    bench_extra(run, name, 100 * left / ((double)full - (double)before), "%");
}

static void measure_release(void) {
    struct bench_case run;
    if (!bench_begin_once(&run, "release"))
        return;
    live_target = release_bytes;
    uint64_t room = release_bytes / 64 + 16;
    table = bench_array(room * sizeof *table);
    rng = bench_seed();
    uint64_t before = bench_rss();
    bench_start(&run);
    uint64_t ops = 2 * fill(size_release, 0, room);
    uint64_t full = bench_rss();
    while (count)
        free(table[--count].at);
    bench_stop(&run, ops);
    extra_percent(&run, "left_at_once", before, full);
    struct timespec pause = {(time_t)(wait_ms / 1000), (long)(wait_ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
    extra_percent(&run, "left_after_wait", before, full);
    for (int i = 0; i < 1000; i++)
        free(bench_check(malloc(size_release(0))));
    extra_percent(&run, "left_after_calls", before, full);
    bench_report(&run);
}

int main(int argc, char **argv) {
    static const struct bench_option options[] = {
        {"live", "live bytes at the end of each phase", 1 << 16, (uint64_t)1 << 36, &live_target},
        {"phases", "phases, each of its own sizes", 1, 40, &phases},
        {"keep", "percent of the blocks that survive a phase", 0, 100, &keep},
        {"release", "bytes that the case release frees", 1 << 16, (uint64_t)1 << 40, &release_bytes},
        {"wait", "milliseconds without a call in the case release", 0, 3600000, &wait_ms},
        {NULL, NULL, 0, 0, NULL},
    };
    static const struct bench_program program = {
        "bench_frag",
        "Shifting sizes: fills up to --live, frees a random 90 %, goes on with other sizes; resident / live bytes.",
        "bench_frag --live 256M --phases 16",
        options,
        NULL,
        0};
    bench_init(&program, argc, argv);
    if (bench_quick()) {
        live_target = live_target < 1 << 20 ? live_target : 1 << 20;
        release_bytes = release_bytes < 1 << 20 ? release_bytes : 1 << 20;
        wait_ms = wait_ms < 10 ? wait_ms : 10;
    }
    measure("shifting", size_shifting);
    measure("jumping", size_jumping);
    measure_release();
    return bench_finish();
}
