/* bench_table.c : interleaved rounds of benches, ratios to libc of the same round, and the table. */
#include "bench_table.h"
#include "ab.h"
#include "locate.h"
#include "sample.h"
#include "statistics.h"
#include "util.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The figures of a bench's line that are compared. */
static const char *const figures[] = {"ns_per_op", "peak_rss_kib"};
enum {
    FIGURES = 2,
    LEAST_FOR_INTERVAL = 6
}; /* the range of five values holds the median with 94 %, of six with 97 % */

/* One case of one bench: value[allocator][figure][round], NAN where it is missing. */
struct row {
    char *bench, *name;
    double *value;
};
struct table {
    const struct bench_plan *plan;
    struct row *row;
    size_t rows;
    json_t *failures, *samples, *missing;
    size_t env_bytes;      /* the same under each allocator */
    uint64_t begun;        /* rounds */
    double began, seconds; /* when it began, and how long it took */
    const char *stopped;
    struct progress progress;
};

static double *cell(const struct table *t, const struct row *r, size_t allocator, size_t figure) {
    return r->value + (allocator * FIGURES + figure) * t->plan->rounds;
}

static struct row *row_of(struct table *t, const char *bench, const char *name) {
    for (size_t i = 0; i < t->rows; i++) {
        if (strcmp(t->row[i].bench, bench) == 0 && strcmp(t->row[i].name, name) == 0) {
            return &t->row[i];
        }
    }
    t->row = xrealloc(t->row, (t->rows + 1) * sizeof *t->row);
    struct row *r = &t->row[t->rows++];
    size_t n = t->plan->allocators * FIGURES * t->plan->rounds;
    *r = (struct row){xstrdup(bench), xstrdup(name), xmalloc(n * sizeof(double))};
    for (size_t i = 0; i < n; i++) {
        r->value[i] = NAN;
    }
    return r;
}

static void take_line(struct table *t, const char *bench, size_t allocator, uint64_t round, const char *line) {
    json_t *o = json_loads(line, 0, NULL);
    const char *name = json_string_value(json_object_get(o, "case"));
    struct row *r = name ? row_of(t, bench, name) : NULL;
    for (size_t f = 0; r && f < FIGURES; f++) {
        double v = json_number_value(json_object_get(o, figures[f]));
        cell(t, r, allocator, f)[round] = v > 0 ? v : NAN;
    }
    if (r) {
        json_object_set_new(o, "allocator", json_string(t->plan->label[allocator]));
        json_object_set_new(o, "round", json_integer((json_int_t)round + 1));
        json_array_append(t->samples, o);
    }
    json_decref(o);
}

static struct job job_of(const struct table *t, size_t allocator) {
    static const struct settings none;
    return (struct job){.library = t->plan->library[allocator],
                        .settings = &none,
                        .env_bytes = t->env_bytes,
                        .cpu = t->plan->cpu,
                        .keep_output = true};
}

static void run_one(struct table *t, const char *bench, size_t allocator, uint64_t round) {
    const struct bench_plan *plan = t->plan;
    char *program = xprintf("%s/bench_%s", plan->directory, bench);
    char *argv[8] = {program, xstrdup("--json")};
    size_t n = 2;
    if (plan->quick) {
        argv[n++] = xstrdup("--quick");
    }
    argv[n++] = xprintf("--milliseconds=%s", plan->milliseconds);
    if (plan->prefix) {
        argv[n++] = xprintf("--case=%s", plan->prefix);
    }
    struct job job = job_of(t, allocator);
    job.argv = argv;
    struct sample s;
    sample_run(&job, &s);
    for (char *save, *line = s.failed || s.unproven ? NULL : strtok_r(s.output, "\n", &save); line;
         line = strtok_r(NULL, "\n", &save)) {
        take_line(t, bench, allocator, round, line);
    }
    if ((s.failed || s.unproven) && !interrupted()) {
        json_array_append_new(t->failures, json_pack("{s:s, s:s, s:I, s:s, s:s?}", "bench", bench, "allocator",
                                                     plan->label[allocator], "round", (json_int_t)round + 1, "message",
                                                     s.message, "stderr", s.errors));
    }
    sample_free(&s);
    for (size_t i = 0; i < n; i++) {
        free(argv[i]);
    }
}

/* One bench under every allocator, in random order. */
static void run_bench(struct table *t, size_t bench, uint64_t round, uint64_t *random) {
    const struct bench_plan *plan = t->plan;
    size_t order[BENCH_MOST_ALLOCATORS];
    for (size_t i = 0; i < plan->allocators; i++) {
        order[i] = i;
    }
    random_shuffle(random, order, plan->allocators);
    for (size_t i = 0; i < plan->allocators && !interrupted(); i++) {
        size_t done = (round * plan->benches + bench) * plan->allocators + i;
        double part = (double)done / (double)(plan->rounds * plan->benches * plan->allocators);
        char *text = xprintf("round %llu, %s", (unsigned long long)round + 1, plan->bench[bench]);
        progress_show(&t->progress, fmin(fmax(part, (now_seconds() - t->began) / plan->budget), 1), text);
        free(text);
        run_one(t, plan->bench[bench], order[i], round);
    }
}

/* The benches that Ctrl-C left without a line; those that failed are told as failures. */
static void name_missing(struct table *t) {
    for (size_t b = 0; interrupted() && b < t->plan->benches; b++) {
        size_t r = 0;
        while (r < t->rows && strcmp(t->row[r].bench, t->plan->bench[b]) != 0) {
            r++;
        }
        if (r == t->rows) {
            json_array_append_new(t->missing, json_string(t->plan->bench[b]));
        }
    }
}

/* Round after round, so that an early end has every bench in it. What a bench took last time tells whether it still fits. */
static void run_all(struct table *t) {
    const struct bench_plan *plan = t->plan;
    double cost[BENCH_MOST] = {0};
    uint64_t random = plan->seed;
    bool any = true;
    for (size_t i = 0; i < plan->allocators; i++) {
        struct job job = job_of(t, i);
        size_t bytes = sample_env_bytes(&job);
        t->env_bytes = bytes > t->env_bytes ? bytes : t->env_bytes;
    }
    t->began = now_seconds();
    progress_begin(&t->progress, "hakmem bench");
    while (any && t->begun < plan->rounds) {
        any = false;
        for (size_t b = 0; b < plan->benches; b++) {
            double begun = now_seconds();
            if (!interrupted() && (t->begun == 0 || begun - t->began + cost[b] <= plan->budget)) {
                run_bench(t, b, t->begun, &random);
                cost[b] = now_seconds() - begun;
                any = true;
            }
        }
        t->begun += any;
    }
    progress_end(&t->progress);
    t->seconds = now_seconds() - t->began;
    name_missing(t);
    t->stopped = interrupted() ? "interrupted" : any ? "all rounds are done" : "the budget is spent";
}

/* ln(allocator / libc) of the rounds where both are there. */
static size_t ratios(const struct table *t, const struct row *r, size_t allocator, size_t figure, double *out) {
    const double *base = cell(t, r, 0, figure), *x = cell(t, r, allocator, figure);
    size_t n = 0;
    for (uint64_t i = 0; i < t->plan->rounds; i++) {
        if (isfinite(base[i]) && isfinite(x[i])) {
            out[n++] = log(x[i] / base[i]);
        }
    }
    return n;
}

static double median_of(const struct table *t, const struct row *r, size_t figure) {
    double *x = xmalloc(t->plan->rounds * sizeof *x);
    size_t n = 0;
    for (uint64_t i = 0; i < t->plan->rounds; i++) {
        if (isfinite(cell(t, r, 0, figure)[i])) {
            x[n++] = cell(t, r, 0, figure)[i];
        }
    }
    double median = n ? stat_median(x, n) : 0;
    free(x);
    return median;
}

/* Of few rounds their whole range, which no resampling can widen. */
static struct interval interval_of(double *d, size_t n, uint64_t seed) {
    if (n >= LEAST_FOR_INTERVAL) {
        return bootstrap_bca(d, n, stat_median, AB_CONFIDENCE, AB_DRAWS, seed);
    }
    stat_sort(d, n);
    return (struct interval){d[0], d[n - 1]};
}

static size_t rounds_of(const struct table *t, const struct row *r, size_t figure) {
    size_t n = 0;
    for (uint64_t i = 0; i < t->plan->rounds; i++) {
        n += isfinite(cell(t, r, 0, figure)[i]) ? 1 : 0;
    }
    return n;
}

static json_t *row_json(const struct table *t, const struct row *r, size_t figure, double *sum, size_t *count) {
    double *d = xmalloc(t->plan->rounds * sizeof *d), spread = 0;
    json_t *list = json_array();
    for (size_t a = 1; a < t->plan->allocators; a++) {
        size_t n = ratios(t, r, a, figure, d);
        if (n == 0) {
            continue;
        }
        double middle = stat_median(d, n);
        struct interval i = interval_of(d, n, t->plan->seed);
        spread = a == 1 ? fmax(fabs(i.low), fabs(i.high)) : spread;
        bool same = fabs(middle) <= spread || i.low * i.high <= 0;
        sum[a] += middle;
        count[a]++;
        json_array_append_new(list, json_pack("{s:s, s:f, s:f, s:f, s:b}", "label", t->plan->label[a], "ratio",
                                              exp(middle), "low", exp(i.low), "high", exp(i.high), "same", same));
    }
    free(d);
    return json_pack("{s:s, s:s, s:s, s:f, s:I, s:o}", "bench", r->bench, "case", r->name, "measure", figures[figure],
                     "libc", median_of(t, r, figure), "rounds", (json_int_t)rounds_of(t, r, figure), "ratios", list);
}

json_t *bench_run(const struct bench_plan *plan) {
    struct table t = {.plan = plan, .failures = json_array(), .samples = json_array(), .missing = json_array()};
    json_t *machine = machine_facts(), *rows = json_array(), *means = json_array(), *list = json_array();
    run_all(&t);
    for (size_t f = 0; f < FIGURES; f++) {
        double sum[BENCH_MOST_ALLOCATORS] = {0};
        size_t count[BENCH_MOST_ALLOCATORS] = {0};
        for (size_t i = 0; i < t.rows; i++) {
            json_array_append_new(rows, row_json(&t, &t.row[i], f, sum, count));
        }
        for (size_t a = 1; a < plan->allocators; a++) {
            if (count[a]) {
                json_array_append_new(means, json_pack("{s:s, s:s, s:f, s:I}", "label", plan->label[a], "measure",
                                                       figures[f], "ratio", exp(sum[a] / (double)count[a]), "cases",
                                                       (json_int_t)count[a]));
            }
        }
    }
    for (size_t a = 0; a < plan->allocators; a++) {
        json_array_append_new(
            list, json_pack("{s:s, s:o}", "label", plan->label[a], "library", library_facts(plan->library[a])));
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:I, s:f, s:s, s:b, s:o, s:o, s:o, s:o, s:o}", "tool", "hakmem bench",
                     "version", HAKMEM_TOOL_VERSION, "machine", machine, "allocators", list, "rounds",
                     (json_int_t)t.begun, "seconds", t.seconds, "stopped", t.stopped, "quick", plan->quick, "rows",
                     rows, "geomeans", means, "missing", t.missing, "failures", t.failures, "samples", t.samples);
}

/* The entry of that label, or NULL. */
static const json_t *of_label(const json_t *list, const char *label, const char *measure) {
    size_t i;
    json_t *o;
    json_array_foreach(list, i, o) {
        if (strcmp(json_text(o, "label"), label) == 0 && (!measure || strcmp(json_text(o, "measure"), measure) == 0)) {
            return o;
        }
    }
    return NULL;
}

static void print_cell(const json_t *r) {
    char text[40];
    if (!r) {
        printf(" %20s", "-");
        return;
    }
    snprintf(text, sizeof text, "%.2f%s [%.2f-%.2f]", json_number(r, "ratio"),
             json_is_true(json_object_get(r, "same")) ? "~" : " ", json_number(r, "low"), json_number(r, "high"));
    printf(" %20s", text);
}

static void print_figure(const json_t *d, const char *measure, const char *title) {
    const json_t *columns = json_object_get(d, "allocators");
    size_t i, k;
    json_t *row, *a;
    printf("\n%s, as a ratio to libc (less is better)\n%-32s %10s", title, "case", "libc");
    json_array_foreach(columns, k, a) {
        if (k > 0) {
            printf(" %20s", json_text(a, "label"));
        }
    }
    putchar('\n');
    json_array_foreach(json_object_get(d, "rows"), i, row) {
        if (strcmp(json_text(row, "measure"), measure) != 0) {
            continue;
        }
        char *name = xprintf("%s/%s", json_text(row, "bench"), json_text(row, "case"));
        printf("%-32s %10.2f", name, json_number(row, "libc"));
        free(name);
        json_array_foreach(columns, k, a) {
            if (k > 0) {
                print_cell(of_label(json_object_get(row, "ratios"), json_text(a, "label"), NULL));
            }
        }
        putchar('\n');
    }
    printf("%-32s %10s", "geometric mean", "");
    json_array_foreach(columns, k, a) {
        const json_t *mean = k > 0 ? of_label(json_object_get(d, "geomeans"), json_text(a, "label"), measure) : NULL;
        if (mean) {
            printf(" %20.3f", json_number(mean, "ratio"));
        } else if (k > 0) {
            printf(" %20s", "-");
        }
    }
    putchar('\n');
}

/* How many rounds the figures rest on, and why not more. */
static void print_rounds(const json_t *d) {
    long long most = json_integer_value(json_object_get(d, "rounds")), least = most;
    size_t i;
    json_t *row, *name;
    json_array_foreach(json_object_get(d, "rows"), i, row) {
        long long n = json_integer_value(json_object_get(row, "rounds"));
        least = n < least ? n : least;
    }
    if (least < most) {
        printf("%lld to ", least);
    }
    printf("%lld rounds%s in %s; %s\n", most,
           json_is_true(json_object_get(d, "quick")) ? " (quick: no measurement)" : "",
           seconds_text(json_number(d, "seconds")), json_text(d, "stopped"));
    if (least < LEAST_FOR_INTERVAL) {
        printf("of fewer than %d rounds the brackets are their whole range, not a 95 %% interval\n",
               LEAST_FOR_INTERVAL);
    }
    json_array_foreach(json_object_get(d, "missing"), i, name) { printf("not reached: %s\n", json_string_value(name)); }
}

void bench_print(const json_t *d) {
    const json_t *machine = json_object_get(d, "machine");
    size_t i;
    json_t *f;
    printf("%s, %lld processors, kernel %s, THP %s; ~ is within the A/A spread\n", json_text(machine, "processor"),
           (long long)json_integer_value(json_object_get(machine, "processors")), json_text(machine, "kernel"),
           json_text(machine, "thp"));
    print_rounds(d);
    print_figure(d, "ns_per_op", "nanoseconds an operation");
    print_figure(d, "peak_rss_kib", "peak resident KiB");
    json_array_foreach(json_object_get(d, "failures"), i, f) {
        printf("failed: %s under %s, round %lld: %s\n", json_text(f, "bench"), json_text(f, "allocator"),
               (long long)json_integer_value(json_object_get(f, "round")), json_text(f, "message"));
    }
}
