/* bench.h : what every bench program shares: arguments, windows of time, counters, resident memory, one report
 * line a case.
 *
 * A program names its cases. Each case runs in its own process: one warm-up window, then timed windows until its
 * time is spent; the smallest window is reported, because on a shared machine everything but the smallest measures
 * the neighbours. The harness itself takes no memory from malloc: its tables come from mmap, its output buffer is
 * static, so that what is measured is the program's own. */
#ifndef HAK_BENCH_H
#define HAK_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One option of a program, beyond the common ones. value holds the default; sizes take the suffixes K, M and G. */
struct bench_option {
    const char *name; /* without the dashes */
    const char *text; /* one line for --help */
    uint64_t min, max;
    uint64_t *value;
};

/* One program: its own options end with a row whose name is NULL. */
struct bench_program {
    const char *name;
    const char *text;                   /* what it measures and what an op is */
    const char *example;                /* one command line for --help */
    const struct bench_option *options; /* may be NULL */
    const char *profiles;               /* "a|b|c" accepted by --profile, or NULL */
    unsigned positional;                /* how many leading options may also be given by position */
};

/* One case while it is measured. */
struct bench_case {
    const char *name;
    unsigned done;        /* windows run, the warm-up included */
    uint64_t deadline;    /* when to stop, ns */
    uint64_t begun;       /* start of the current window, ns */
    uint64_t ops;         /* ops of the timed windows */
    uint64_t all_ops;     /* and of the warm-up: for differences of callgrind runs */
    double best;          /* ns an op of the smallest window; 0: none yet */
    uint64_t count[2];    /* instructions and branches of the timed windows */
    bool counted;         /* the machine has counters */
    char extra[512];      /* further figures, as JSON members */
    char extra_text[512]; /* and for people */
};

/* Reads the arguments; answers --help and --list, and ends the program with status 2 and a clear message on a bad
 * one. */
void bench_init(const struct bench_program *program, int argc, char **argv);

bool bench_quick(void);          /* --quick: sizes so small that the run only shows that it works */
const char *bench_profile(void); /* the word given to --profile, or NULL */
uint64_t bench_seed(void);       /* --seed */
double bench_seconds(void);      /* --milliseconds: time for one case */

/* Whether this process is to run the case; otherwise it was not wanted (--case) or has just run in a process of
 * its own. Resets the peak of resident memory where the kernel allows. */
bool bench_begin(struct bench_case *run, const char *name);
bool bench_more(struct bench_case *run); /* is there time for another window? */
void bench_start(struct bench_case *run);
void bench_stop(struct bench_case *run, uint64_t ops);
/* All windows of a case that was begun, and its report; window returns the ops that it ran. */
void bench_windows(struct bench_case *run, uint64_t (*window)(void));
/* For a case whose one run is its measurement: no warm-up, one window. */
bool bench_begin_once(struct bench_case *run, const char *name);
/* A further figure of the case, shown with its unit. */
void bench_extra(struct bench_case *run, const char *name, double value, const char *unit);
void bench_report(struct bench_case *run);
/* Ends the program; the status says whether any case ran, so that a mistyped --case is no success. */
int bench_finish(void);

/* Helpers. */
uint64_t bench_now(void);        /* monotonic ns */
uint64_t bench_rss(void);        /* resident bytes now, exact (smaps_rollup where the kernel has it) */
uint64_t bench_peak_rss(void);   /* most resident bytes since bench_begin (VmHWM) */
void *bench_array(size_t bytes); /* zeroed and resident memory outside of malloc; never NULL */
void bench_array_free(void *array, size_t bytes);
void bench_shuffle(uint32_t *order, uint32_t n, uint64_t *rng);
_Noreturn void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends the program if an allocation failed. */
static inline void *bench_check(void *block) {
    if (!block)
        bench_die("an allocation failed: out of memory");
    return block;
}

/* splitmix64: one add, two multiplications; good enough for choosing slots, and the same on every machine. */
static inline uint64_t bench_random(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* A number in [low, high], without a division. */
static inline uint64_t bench_between(uint64_t *state, uint64_t low, uint64_t high) {
    return low + (((bench_random(state) >> 32) * (high - low + 1)) >> 32);
}

/* Log-uniform in [low, high]: every doubling equally likely, uniform within it. */
static inline uint64_t bench_between_log(uint64_t *state, uint64_t low, uint64_t high) {
    unsigned bottom = 63u - (unsigned)__builtin_clzll(low);
    unsigned top = 63u - (unsigned)__builtin_clzll(high);
    for (;;) {
        uint64_t base = (uint64_t)1 << bench_between(state, bottom, top);
        uint64_t size = bench_between(state, base, 2 * base - 1);
        if (size >= low && size <= high)
            return size;
    }
}

#endif
