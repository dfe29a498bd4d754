/* ab_analyse.c : from the values of the runs to differences, intervals and the verdict.
 *
 * Differences are ln(B / A) of the pairs of one half block, so that a ratio and its inverse weigh alike; the estimate is their trimmed mean, which
 * two neighbours' noise in ten runs cannot move far. A difference is called one only if all hold: the bootstrap interval excludes 0, the
 * permutation p is under 0.01, it is larger than the A/A spread, and larger than what the measure can resolve. */
#include "ab.h"
#include "statistics.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double log_ratio(enum measure m, double a, double b) {
    double shift = measures[m].may_be_zero ? 1e-6 : 0;
    if (m == M_FAULTS || m == M_SWITCHES) {
        shift = 1;
    }
    return log((b + shift) / (a + shift));
}

size_t ab_differences(const struct halves *h, size_t a, size_t b, enum measure m, double *out) {
    size_t n = 0;
    for (size_t i = 0; i < h->count; i++) {
        double d = log_ratio(m, h->item[i].v[a][m], h->item[i].v[b][m]);
        if (isfinite(d)) {
            out[n++] = d;
        }
    }
    return n;
}

/* Differences between the two runs of one arm in each block: what no change looks like, measured among the pairs themselves. */
static size_t within(const struct halves *h, size_t arms, enum measure m, double *out) {
    size_t n = 0;
    for (size_t i = 0; i + 1 < h->count; i += 2) {
        for (size_t a = 0; a < arms; a++) {
            double d = log_ratio(m, h->item[i].v[a][m], h->item[i + 1].v[a][m]);
            if (isfinite(d)) {
                out[n++] = d;
            }
        }
    }
    return n;
}

/* The A/A spread: how far from no change the 95 % interval of runs that do not differ reaches. All such pairs count, those of the control and
 * those within the blocks, so that it narrows as the comparison's own interval does; but a control that found a difference where there
 * is none stays as far as it was. */
static double spread_of(const struct rounds *r, enum measure m, uint64_t seed) {
    double *d = xmalloc((r->control.count + 2 * r->compare.count + 1) * sizeof *d);
    size_t n = ab_differences(&r->control, 0, 1, m, d);
    double spread = 0;
    if (n > 0) {
        struct interval i = bootstrap_bca(d, n, stat_trimmed, AB_CONFIDENCE, AB_DRAWS, seed);
        spread = i.low * i.high > 0 ? fabs(stat_trimmed(d, n)) : 0;
    }
    n += within(&r->compare, 2, m, d + n);
    if (n > 0) {
        struct interval i = bootstrap_bca(d, n, stat_trimmed, AB_CONFIDENCE, AB_DRAWS, seed);
        spread = fmax(spread, fmax(fabs(i.low), fabs(i.high)));
    }
    free(d);
    return spread;
}

double ab_width(const struct ab *ab, const struct rounds *r) {
    double *d = xmalloc((r->compare.count + 1) * sizeof *d);
    enum measure m = ab->primary == M_INSTRUCTIONS || ab->primary == M_BRANCHES
                         ? (ab->job.counters ? ab->primary : M_WALL)
                         : ab->primary;
    size_t n = ab_differences(&r->compare, ab->split ? ARM_LOADED : ARM_A, ARM_B, m, d);
    double width = INFINITY;
    if (n >= AB_LEAST_PAIRS) {
        struct interval i = bootstrap_percentile(d, n, stat_trimmed, AB_CONFIDENCE, AB_DRAWS / 4, ab->seed);
        width = (i.high - i.low) / 2;
    }
    free(d);
    return width;
}

/* What is known of one measure between two arms. */
struct finding {
    size_t pairs;
    double a, b; /* medians */
    double d;    /* ln(b / a) */
    struct interval interval;
    double p, spread;
    bool detected;
};

static size_t column(const struct halves *h, size_t arm, enum measure m, double *out) {
    size_t n = 0;
    for (size_t i = 0; i < h->count; i++) {
        if (isfinite(h->item[i].v[arm][m])) {
            out[n++] = h->item[i].v[arm][m];
        }
    }
    return n;
}

static bool is_counted(const struct ab *ab, enum measure m) {
    return (m == M_INSTRUCTIONS || m == M_BRANCHES) && !ab->job.counters;
}

/* Counts under callgrind hardly vary and do not drift, so the runs of the two sides are compared as two groups; the spread is the largest
 * difference within one side. */
static void judge_counts(const struct halves *h, size_t a, size_t b, enum measure m, struct finding *f, uint64_t seed) {
    double x[2][AB_COUNT_RUNS];
    size_t n[2] = {column(h, a, m, x[0]), column(h, b, m, x[1])};
    f->p = n[0] && n[1] ? permutation_two(x[0], n[0], x[1], n[1], AB_FLIPS, seed) : 1;
    for (size_t side = 0; side < 2; side++) {
        for (size_t i = 1; i < n[side]; i++) {
            f->spread = fmax(f->spread, fabs(log_ratio(m, x[side][0], x[side][i])));
        }
    }
}

static struct finding find(const struct ab *ab, const struct rounds *r, size_t a, size_t b, enum measure m) {
    struct finding f = {.p = 1};
    const struct halves *h = is_counted(ab, m) ? &r->counts : &r->compare;
    size_t room = 2 * h->count + r->control.count + 1;
    double *d = xmalloc(room * sizeof *d), *values = xmalloc(room * sizeof *values);
    f.pairs = ab_differences(h, a, b, m, d);
    size_t n = column(h, a, m, values);
    f.a = n ? stat_median(values, n) : NAN;
    n = column(h, b, m, values);
    f.b = n ? stat_median(values, n) : NAN;
    if (f.pairs > 0) {
        f.d = stat_trimmed(d, f.pairs);
        f.interval = bootstrap_bca(d, f.pairs, stat_trimmed, AB_CONFIDENCE, AB_DRAWS, ab->seed);
        if (is_counted(ab, m)) {
            judge_counts(h, a, b, m, &f, ab->seed);
        } else {
            f.p = permutation_paired(d, f.pairs, stat_signed_rank, AB_FLIPS, ab->seed);
            f.spread = spread_of(r, m, ab->seed);
        }
        f.detected = f.p < AB_P && f.interval.low * f.interval.high > 0 && fabs(f.d) > f.spread &&
                     fabs(f.d) >= measures[m].resolution;
    }
    free(d);
    free(values);
    return f;
}

static double change(double d) { return exp(d) - 1; }

/* The gain of B over A as a throughput: +0.05 is 5 % more work in the same time. */
static double gain(const struct ab *ab, enum measure m, double d) {
    bool higher = measures[m].higher_is_better && !ab->lower_is_better;
    return change(higher ? d : -d);
}

static const char *word(const struct ab *ab, enum measure m, const struct finding *f) {
    return !f->detected ? "no difference" : gain(ab, m, f->d) > 0 ? "better" : "worse";
}

static json_t *finding_json(const struct ab *ab, enum measure m, const struct finding *f) {
    return json_pack("{s:s, s:s, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:f, s:s}", "name", measures[m].name, "text",
                     measures[m].text, "pairs", (json_int_t)f->pairs, "a", f->a, "b", f->b, "change", change(f->d),
                     "low", change(f->interval.low), "high", change(f->interval.high), "p", f->p, "spread",
                     change(f->spread), "gain", gain(ab, m, f->d), "finding", word(ab, m, f));
}

static json_t *verdict(const struct ab *ab, const struct rounds *r, const struct finding *f) {
    const char *name = "NO DIFFERENCE DETECTED";
    double g = gain(ab, ab->primary, f->d);
    size_t least = is_counted(ab, ab->primary) ? AB_COUNT_RUNS : AB_LEAST_PAIRS;
    char *reason;
    if (r->unproven) {
        name = "NOT PROVEN";
        reason = xstrdup(r->stopped);
    } else if (f->pairs < least) {
        name = "NO VERDICT";
        reason = xprintf("%zu of at least %zu pairs were measured: %s", f->pairs, least,
                         r->stopped ? r->stopped : "too few");
    } else if (!f->detected) {
        bool small = fabs(f->d) < measures[ab->primary].resolution, close = fabs(f->d) <= f->spread;
        reason = xprintf("%s", small   ? "the difference is smaller than what this measure resolves"
                               : close ? "the difference is within the A/A spread"
                                       : "the difference may be chance");
    } else if (g >= ab->threshold) {
        name = "GO";
        reason = xprintf("B gains %.1f %%, at least the threshold of %.1f %%", g * 100, ab->threshold * 100);
    } else {
        name = "NO-GO";
        reason = g > 0 ? xprintf("B's gain of %.1f %% is real, but under the threshold of %.1f %%", g * 100,
                                 ab->threshold * 100)
                       : xprintf("B loses %.1f %%", -g * 100);
    }
    json_t *out = json_pack("{s:s, s:s, s:s+}", "word", name, "measure", measures[ab->primary].name, "reason", reason,
                            ab->split && f->pairs >= least ? " (the allocator's share of the gap)" : "");
    free(reason);
    return out;
}

/* The notes' way to split the gap to libc: plain program -> same library with libc inside -> hakmem. A program with libc inside pays for what the
 * library's being there changes, but also for the way through it to libc at each call, which hakmem does not. So the middle is taken where the library is loaded and
 * libc serves by itself: layout and allocator make up the total, and the door, what libc inside pays for that way, stands by itself. The verdict is about the
 * allocator's share, for over libc inside anything would gain. */
static json_t *gap(const struct ab *ab, const struct rounds *r) {
    static const struct {
        const char *name;
        size_t from, to;
    } steps[] = {{"layout", ARM_PLAIN, ARM_LOADED},
                 {"allocator", ARM_LOADED, ARM_B},
                 {"total", ARM_PLAIN, ARM_B},
                 {"door", ARM_LOADED, ARM_A}};
    json_t *out = json_object();
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct finding f = find(ab, r, steps[i].from, steps[i].to, ab->primary);
        if (f.pairs > 0) {
            json_object_set_new(out, steps[i].name, finding_json(ab, ab->primary, &f));
        }
    }
    return out;
}

json_t *ab_analyse(const struct ab *ab, const struct rounds *r) {
    json_t *list = json_array();
    struct finding primary = {.p = 1};
    for (enum measure m = 0; m < MEASURES; m++) {
        struct finding f = find(ab, r, ARM_A, ARM_B, m);
        if (m == ab->primary) {
            primary = ab->split ? find(ab, r, ARM_LOADED, ARM_B, m) : f;
        }
        if (f.pairs > 0) {
            json_array_append_new(list, finding_json(ab, m, &f));
        }
    }
    json_t *out = json_pack("{s:o, s:o}", "measures", list, "verdict", verdict(ab, r, &primary));
    if (ab->split) {
        json_object_set_new(out, "gap", gap(ab, r));
    }
    return out;
}
