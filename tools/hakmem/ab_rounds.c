/* ab_rounds.c : the runs of `hakmem ab`, in an order that noise cannot side with.
 *
 * A block runs every arm twice, in random order and then mirrored (A B B A or B A A B), so that a drift of the machine falls on both sides alike;
 * its two halves are two pairs. The control does the same with side A against itself, and comes first. */
#include "ab.h"
#include "proof.h"
#include "statistics.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_FAILURES = 5 };

enum phase { WARMUP, CONTROL, COMPARE, COUNT };
static const char *const phase_names[] = {"warm-up", "control", "compare", "count"};

static void record_sample(struct rounds *r, enum phase phase, uint64_t round, const char *arm, const struct sample *s) {
    json_t *o = json_pack("{s:s, s:I, s:s, s:f}", "phase", phase_names[phase], "round", (json_int_t)round, "arm", arm,
                          "at", now_seconds() - r->began);
    for (int m = 0; m < MEASURES; m++) {
        if (!isnan(s->value[m])) {
            json_object_set_new(o, measures[m].name, json_real(s->value[m]));
        }
    }
    if (s->message) {
        json_object_set_new(o, "failed", json_string(s->message));
    }
    json_array_append_new(r->samples, o);
}

static void record_failure(struct rounds *r, enum phase phase, uint64_t round, const struct arm *arm,
                           const struct sample *s) {
    json_array_append_new(r->failures, json_pack("{s:s, s:I, s:s, s:s, s:s, s:s?}", "phase", phase_names[phase],
                                                 "round", (json_int_t)round, "arm", arm->name, "label", arm->label,
                                                 "message", s->message, "stderr", s->errors));
}

/* The last records of each arm stay as its proof. */
static void keep_proof(struct rounds *r, const struct arm *arm, const struct sample *s) {
    if (!s->failed && json_array_size(s->records) > 0) {
        json_object_set(r->proof, arm->name, s->records);
    }
}

/* The job of one side, without what a phase changes. */
static struct job job_of(const struct ab *ab, const struct arm *arm) {
    struct job job = ab->job;
    job.library = arm->library;
    job.beside = arm->beside;
    job.settings = &arm->settings;
    return job;
}

/* One run; false when the rounds must end. Values of a failed run stay NAN. */
static bool run_one(const struct ab *ab, struct rounds *r, enum phase phase, uint64_t round, const struct arm *arm,
                    double *values) {
    struct job job = job_of(ab, arm);
    struct sample s;
    if (phase == COUNT) {
        job.callgrind = true;
        job.counters = false;
        job.metric = NULL;
    }
    sample_run(&job, &s);
    if (interrupted()) {
        r->interrupted = true;
        r->stopped = "interrupted";
        sample_free(&s);
        return false;
    }
    record_sample(r, phase, round, arm->name, &s);
    keep_proof(r, arm, &s);
    for (int m = 0; m < MEASURES && values; m++) {
        values[m] = s.failed || s.unproven ? NAN : s.value[m];
    }
    if (s.failed || s.unproven) {
        record_failure(r, phase, round, arm, &s);
        r->failed |= s.failed;
        r->unproven |= s.unproven;
    }
    sample_free(&s);
    if (r->unproven) {
        r->stopped = "a run was not under what was asked for";
    } else if (json_array_size(r->failures) >= MOST_FAILURES) {
        r->stopped = "too many runs failed";
    }
    return r->stopped == NULL;
}

static struct half *half_new(struct halves *h) {
    h->item = xrealloc(h->item, (h->count + 1) * sizeof *h->item);
    struct half *half = &h->item[h->count++];
    for (size_t a = 0; a < AB_MOST_ARMS; a++) {
        for (int m = 0; m < MEASURES; m++) {
            half->v[a][m] = NAN;
        }
    }
    return half;
}

static void show_progress(const struct ab *ab, struct rounds *r, enum phase phase) {
    double spent = now_seconds() - r->began;
    double all = (double)(ab->count_only ? 0 : ab->pairs * (2 + ab->arms)),
           done = (double)(r->control.count * 2 + r->compare.count * ab->arms);
    double least = all > 0 ? done / all : 0, budget = ab->budget > 0 ? spent / ab->budget : 1;
    double part = phase == COUNT                   ? (double)r->counts.count / AB_COUNT_RUNS
                  : phase == COMPARE && least >= 1 ? budget
                                                   : least;
    char *text = xprintf("%s, %zu pairs",
                         phase == CONTROL ? "A/A control"
                         : phase == COUNT ? "counting"
                                          : "A/B",
                         r->compare.count);
    progress_show(&r->progress, part > 1 ? 1 : part, text);
    free(text);
}

/* One block of n arms in random order and mirrored: two halves more. */
static bool run_block(const struct ab *ab, struct rounds *r, enum phase phase, struct halves *h,
                      const struct arm *const *arms, size_t n) {
    size_t order[AB_MOST_ARMS];
    uint64_t round = h->count / 2 + 1;
    for (size_t i = 0; i < n; i++) {
        order[i] = i;
    }
    random_shuffle(&r->random, order, n);
    for (int side = 0; side < 2; side++) {
        struct half *half = half_new(h);
        for (size_t i = 0; i < n; i++) {
            size_t a = order[side ? n - 1 - i : i];
            show_progress(ab, r, phase);
            if (!run_one(ab, r, phase, round, arms[a], half->v[a])) {
                return false;
            }
        }
    }
    return true;
}

/* A run or two of each side that do not count. A failure here is tried once more, for it may be the one in many. */
static bool warm_up(const struct ab *ab, struct rounds *r) {
    for (uint64_t round = 1; round <= ab->warmup; round++) {
        for (size_t a = 0; a < ab->arms; a++) {
            size_t failures = json_array_size(r->failures);
            if (!run_one(ab, r, WARMUP, round, &ab->arm[a], NULL)) {
                return false;
            }
            if (json_array_size(r->failures) > failures && !run_one(ab, r, WARMUP, round, &ab->arm[a], NULL)) {
                return false;
            }
            if (json_array_size(r->failures) > failures + 1) {
                r->stopped = "the command fails every time";
                return false;
            }
        }
    }
    return true;
}

static bool control(const struct ab *ab, struct rounds *r) {
    const struct arm *same[] = {&ab->arm[0], &ab->arm[0]};
    while (r->control.count < ab->pairs) {
        if (!run_block(ab, r, CONTROL, &r->control, same, 2)) {
            return false;
        }
    }
    return true;
}

static bool compare(const struct ab *ab, struct rounds *r) {
    const struct arm *arms[AB_MOST_ARMS];
    for (size_t a = 0; a < ab->arms; a++) {
        arms[a] = &ab->arm[a];
    }
    for (size_t look = 0;;) {
        if (!run_block(ab, r, COMPARE, &r->compare, arms, ab->arms)) {
            return false;
        }
        if (r->compare.count < ab->pairs) {
            continue;
        }
        if (r->compare.count >= look) {
            if (ab_width(ab, r) <= ab->precision) {
                r->stopped = "the interval is narrow enough";
                return true;
            }
            look = r->compare.count + r->compare.count / 20; /* the look itself takes time */
        }
        if (r->compare.count >= AB_MOST_PAIRS && r->compare.count >= ab->pairs) {
            r->stopped = "more pairs would tell no more";
            return true;
        }
        if (now_seconds() - r->began >= ab->budget) {
            r->stopped = "the budget is spent";
            return true;
        }
    }
}

static bool count(const struct ab *ab, struct rounds *r) {
    const char *before = r->stopped;
    r->stopped = NULL;
    progress_begin(&r->progress, "hakmem ab");
    for (uint64_t i = 0; i < AB_COUNT_RUNS; i++) {
        struct half *half = half_new(&r->counts);
        size_t first = random_below(&r->random, ab->arms);
        for (size_t k = 0; k < ab->arms; k++) {
            size_t a = (first + k) % ab->arms;
            show_progress(ab, r, COUNT);
            if (!run_one(ab, r, COUNT, i + 1, &ab->arm[a], half->v[a])) {
                return false;
            }
        }
    }
    r->stopped = before ? before : "all counted";
    return true;
}

void ab_rounds(struct ab *ab, struct rounds *r) {
    for (size_t a = 0; a < ab->arms; a++) {
        struct job job = job_of(ab, &ab->arm[a]);
        size_t bytes = sample_env_bytes(&job);
        ab->job.env_bytes = bytes > ab->job.env_bytes ? bytes : ab->job.env_bytes;
    }
    *r = (struct rounds){.samples = json_array(),
                         .failures = json_array(),
                         .proof = json_object(),
                         .random = ab->seed,
                         .began = now_seconds()};
    progress_begin(&r->progress, "hakmem ab");
    bool good = warm_up(ab, r);
    good = good && (ab->count_only || (control(ab, r) && compare(ab, r)));
    if (good && ab->instructions && !ab->job.counters) {
        count(ab, r);
    }
    progress_end(&r->progress);
}
