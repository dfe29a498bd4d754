/* ab.h : the parts of `hakmem ab`: what to compare, the rounds, the analysis, the record. */
#ifndef HAKMEM_AB_H
#define HAKMEM_AB_H

#include "gate_table.h"
#include "sample.h"
#include "util.h"

/* The sides. The last two are there to split the gap to libc: the plain program, and that with the library loaded though libc serves. */
enum { ARM_A, ARM_B, ARM_PLAIN, ARM_LOADED, AB_MOST_ARMS };
enum {
    AB_LEAST_PAIRS = 10,
    AB_MOST_PAIRS = 2000, /* beyond, the intervals hardly narrow, and the analysis takes seconds */
    AB_DRAWS = 4000,      /* resamples of an interval */
    AB_FLIPS = 20000,     /* random sign flips of a permutation test */
    AB_COUNT_RUNS = 5,    /* runs of each side under callgrind: the smallest number whose exact p can be under AB_P */
};
#define AB_P 0.01 /* a difference whose p is not under this is chance */
#define AB_CONFIDENCE 0.95

/* One side. */
struct arm {
    char *name;    /* "A", "B", "P", "L" */
    char *label;   /* what tells it from the others, for people */
    char *library; /* a real path, or "" for libc */
    char *beside;  /* L: the library that is loaded and does not serve; otherwise NULL */
    struct settings settings;
};

/* What the user asked for. */
struct ab {
    struct arm arm[AB_MOST_ARMS];
    size_t arms;
    bool same;      /* both sides are the same: an A/A run */
    bool split;     /* --libc: four arms, split the gap */
    struct job job; /* shared by all runs, but for library and settings */
    uint64_t pairs, warmup, seed;
    double budget, precision, threshold; /* seconds, fractions */
    bool instructions, count_only, lower_is_better, json, quiet;
    char *metric_text;
    enum measure primary;
    char *output;
};

/* The arguments as given, before they are put together. */
struct ab_given {
    struct ab *ab;
    char *gate, *lib;
    bool libc;
    struct settings set, vs;
    const char **env;
    size_t envs;
    bool primary;
};

/* Fills ab->arm; ends the process when the sides could not differ or a setting could have no effect. */
void ab_make_arms(struct ab *ab, const struct ab_given *g, uint16_t machine);

/* Values of one half of a block: one run of each arm. A failed run is NAN in every measure. */
struct half {
    double v[AB_MOST_ARMS][MEASURES];
};
struct halves {
    struct half *item;
    size_t count;
};

/* What the rounds gave. */
struct rounds {
    struct halves control; /* arm 0 against itself: columns 0 and 1 */
    struct halves compare;
    struct halves counts; /* under callgrind: instructions and branches only */
    json_t *samples, *failures, *proof;
    const char *stopped; /* why the rounds ended, for people */
    bool interrupted, unproven, failed;
    uint64_t random;
    double began;
    struct progress progress;
};

/* Makes the environments of all sides as large as the largest; runs warm-up, A/A control, comparison and counts. */
void ab_rounds(struct ab *ab, struct rounds *r);

/* Differences of arms a and b as ln(b / a), pair by pair, of pairs where both are there. out has room for h->count; returns how many. */
size_t ab_differences(const struct halves *h, size_t a, size_t b, enum measure m, double *out);
/* The half-width of the 95 % interval that the comparison has reached on the primary measure; INFINITY when it cannot be told yet. */
double ab_width(const struct ab *ab, const struct rounds *r);

/* The analysis as JSON: {"measures": [...], "gap": {...}, "verdict": {...}}. */
json_t *ab_analyse(const struct ab *ab, const struct rounds *r);

/* The whole record, and what people read of it. */
json_t *ab_document(const struct ab *ab, const struct rounds *r, json_t *analysis, json_t *machine);
void ab_print(const json_t *document);
/* The exit status of a document: GO 0, NO-GO 3, NO DIFFERENCE DETECTED 4, otherwise 1, 5 or 130. */
int ab_status(const json_t *document);
/* `hakmem ab show [FILE]` */
int ab_show(int argc, char **argv);
/* Where records go without -o: a directory that exists afterwards, or NULL. */
char *ab_state_directory(void);

/* The machine as it is now: processor, kernel, memory, huge pages, load. */
json_t *machine_facts(void);
/* A library's path, size, time and checksum, so that a record tells which build was measured. */
json_t *library_facts(const char *path);

#endif
