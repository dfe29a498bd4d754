/* sample.h : one run of a program under one allocator and one set of settings, measured. */
#ifndef HAKMEM_SAMPLE_H
#define HAKMEM_SAMPLE_H

#include "gate_table.h"
#include <jansson.h>
#include <regex.h>
#include <sys/types.h>

/* What is measured in a run. A value that could not be measured is NAN. */
enum measure { M_WALL, M_INSIDE, M_CPU, M_RSS, M_FAULTS, M_SWITCHES, M_METRIC, M_INSTRUCTIONS, M_BRANCHES, MEASURES };

struct measure_info {
    const char *name, *text;
    bool higher_is_better; /* only for M_METRIC, and only when the user did not say otherwise */
    bool may_be_zero;      /* compared as (b + 1) / (a + 1) */
    double resolution;     /* no smaller relative difference is ever called one */
    const char *(*show)(double value);
};
extern const struct measure_info measures[MEASURES];
/* The measure of that name, or MEASURES. */
enum measure measure_named(const char *name);

/* How a program is run. */
struct job {
    char **argv;
    const char *library; /* preloaded; "" for libc */
    const char
        *beside; /* with libc: a library that is loaded, but behind libc, so that it serves nothing; may be NULL */
    const struct settings *settings;
    const char *const *more_env; /* NAME=VALUE, from --env, NULL-terminated; may be NULL */
    bool keep_env;               /* otherwise a clean one */
    size_t env_bytes;      /* pad the environment to that size, so that the stacks of both sides lie alike; 0: do not */
    int cpu;               /* pinned to it; -1: not */
    const char *input;     /* file for standard input; NULL: /dev/null */
    const regex_t *metric; /* its first group is a number; the last match counts. NULL: none */
    bool keep_output;      /* sample.output is what it printed */
    double timeout;        /* seconds; 0: none */
    bool any_status;       /* a status other than 0 is no failure */
    bool callgrind;        /* run under callgrind and fill instructions and branches only */
    bool counters;         /* the machine's own counters fill them */
};

struct sample {
    double value[MEASURES];
    int status;    /* as of wait() */
    bool failed;   /* crashed, timed out or not run: message says how */
    bool unproven; /* ran, but not under what was asked for: message says how */
    char *message;
    char *errors;    /* the last lines of standard error, or NULL */
    char *output;    /* with keep_output, otherwise NULL */
    json_t *records; /* the probe's */
};

/* Runs the job once. Ends early when interrupted(): then the sample is failed with the message "interrupted". */
void sample_run(const struct job *job, struct sample *out);
void sample_free(struct sample *s);
/* The least env_bytes that fits the job. */
size_t sample_env_bytes(const struct job *job);
/* A status of wait() for people: "status 3", "killed by SIGSEGV". The result is static. */
const char *status_text(int status);

/* The machine's counters of instructions and branches. A process is attached before it execs, counts with all its children from then on, and is
 * read once after its end; what could not be counted stays as it was. */
bool counters_available(void);
bool counters_attach(pid_t pid);
void counters_read(double *instructions, double *branches);
/* What to count instead of instructions (which 0) or branches (1), as in struct perf_event_attr: for tests, on machines without such counters. */
void counters_choose(int which, uint32_t type, uint64_t config);
/* Callgrind's totals from all files that a run left in the directory, which are removed. false: none. */
bool callgrind_totals(const char *directory, double *instructions, double *branches);

#endif
