/* cmd_replay.c : `hakmem replay`: a recording against any allocator, several side by side. */
#include "ab.h"
#include "trace_libs.h"
#include "trace_plan.h"
#include "trace_replay.h"
#include "util.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct replay_options {
    const char *libs, *process, *scratch;
    unsigned rounds;
    bool timing, json, all;
};

static const struct argp_option options[] = {
    {"lib", 'l', "NAME,...", 0,
     "Allocators: names (libc, hakmem, mimalloc, jemalloc, tcmalloc) or library paths (default: all that are found)",
     0},
    {"process", 'p', "WHICH", 0,
     "The process to replay: its PID, its number in `hakmem trace --list`, or part of its name (default: that with "
     "most events)",
     0},
    {"all", 'a', NULL, 0, "Replay every recorded process, one after the other", 0},
    {"rounds", 'n', "N", 0, "Runs of each allocator, interleaved; the median is shown (default 3)", 0},
    {"timing", 't', NULL, 0, "Keep the recorded times instead of going as fast as the allocator can", 0},
    {"scratch", 's', "DIR", 0, "Folder for the unpacked plan (default: /dev/shm, then $TMPDIR, /tmp)", 0},
    {"json", 'j', NULL, 0, "Print JSON", 0},
    {0}};

static const struct argp replay_argp = {
    .options = options,
    .parser = parse_kept,
    .args_doc = "FILE",
    .doc = "Replay a recording of `hakmem record`: the same threads, the same order across threads, memory touched as "
           "recorded, against one or "
           "more allocators. Reports peak live bytes, peak RSS above the replayer's own, time and page faults."
           "\vExample:\n  hakmem record -o cc.hkt -- gcc -O2 -c file.c\n  hakmem replay cc.hkt --process cc1 --lib "
           "libc,hakmem,jemalloc"};

/* An allocator in the comparison. */
struct contender {
    char *path, *label;
    double program; /* estimate of the whole program's peak RSS, 0: not known */
    struct replay_run *run;
    unsigned runs;
    double library; /* RSS of the library itself, before the first allocation */
};

static size_t contenders_make(const char *libs, struct contender **list) {
    char **paths = NULL;
    size_t n = 0;
    if (libs) {
        char *copy = xstrdup(libs), *rest = copy;
        for (char *name; (name = strsep(&rest, ","));) {
            paths = xrealloc(paths, (n + 1) * sizeof *paths);
            paths[n++] = libs_path(name);
        }
        free(copy);
    } else {
        n = libs_found(&paths);
    }
    *list = xmalloc(n * sizeof **list);
    for (size_t i = 0; i < n; i++)
        (*list)[i] = (struct contender){.path = paths[i], .label = libs_label(paths[i])};
    free(paths);
    return n;
}

typedef double (*measure)(const struct replay_result *);
static double of_wall(const struct replay_result *r) { return (double)r->wall_ns / 1e9; }
static double of_cpu(const struct replay_result *r) { return (double)(r->user_us + r->system_us) / 1e6; }
static double of_rss(const struct replay_result *r) {
    return r->peak_rss > r->baseline_rss ? (double)(r->peak_rss - r->baseline_rss) : 0;
}
static double of_end(const struct replay_result *r) {
    return r->end_rss > r->baseline_rss ? (double)(r->end_rss - r->baseline_rss) : 0;
}
static double of_live(const struct replay_result *r) { return (double)r->peak_live; }
static double of_faults(const struct replay_result *r) { return (double)(r->minor_faults + r->major_faults); }

static int number_order(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median over the runs that gave a result; negative if none did. */
static double median(const struct contender *c, measure what) {
    double v[1000];
    size_t n = 0;
    for (unsigned i = 0; i < c->runs; i++)
        if (!*c->run[i].trouble)
            v[n++] = what(&c->run[i].result);
    qsort(v, n, sizeof *v, number_order);
    return n ? n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2 : -1;
}

static json_t *contender_json(const struct contender *c) {
    json_t *j = json_pack("{s:s,s:s,s:f,s:f,s:f,s:f,s:f,s:f}", "name", c->label, "library", c->path, "wall",
                          median(c, of_wall), "cpu", median(c, of_cpu), "peak_rss", median(c, of_rss), "end_rss",
                          median(c, of_end), "peak_live", median(c, of_live), "faults", median(c, of_faults));
    json_t *runs = json_array();
    for (unsigned i = 0; i < c->runs; i++) {
        const struct replay_run *r = &c->run[i];
        json_array_append_new(runs, *r->trouble
                                        ? json_pack("{s:s}", "trouble", r->trouble)
                                        : json_pack("{s:f,s:f,s:f,s:f,s:b,s:s,s:I}", "wall", of_wall(&r->result), "cpu",
                                                    of_cpu(&r->result), "peak_rss", of_rss(&r->result), "faults",
                                                    of_faults(&r->result), "served", (int)r->served, "served_by",
                                                    r->result.served_by, "failed", (json_int_t)r->result.failed));
    }
    json_object_set_new(j, "runs", runs);
    json_object_set_new(j, "library_rss", json_real(c->library));
    if (c->program > 0)
        json_object_set_new(j, "program_peak_rss_estimate", json_real(c->program));
    json_object_set(j, "samples", c->run[0].samples);
    return j;
}

static json_t *replay_json(const struct trace_stream *s, const struct plan_totals *t, const struct contender *list,
                           size_t n, bool timing) {
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(all, contender_json(&list[i]));
    return json_pack("{s:i,s:s,s:O*,s:i,s:b,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "hakmem_replay", 1, "program", trace_name(s),
                     "args", json_object_get(s->meta, "args"), "pid", (int)s->pid, "timing", (int)timing,
                     "recorded_peak_live", (json_int_t)t->peak, "operations", (json_int_t)t->ops, "threads",
                     (json_int_t)t->threads, "epochs", (json_int_t)t->epochs, "unknown_frees",
                     (json_int_t)t->counts.unknown_frees, "allocators", all, "machine", machine_facts());
}

static void replay_print(const struct trace_stream *s, const struct plan_totals *t, const struct contender *list,
                         size_t n, bool timing) {
    printf("%s (pid %u): %s operations by %llu threads, recorded peak live %s\n\n", trace_name(s), s->pid,
           count_text((double)t->ops), (unsigned long long)t->threads, bytes_text((double)t->peak));
    printf("%-18s %11s %11s %11s %9s %11s %11s %11s %9s%s\n", "allocator", "peak RSS", "+ library", "/ live", "end RSS",
           "peak live", "wall", "CPU", "faults", list[0].program > 0 ? "    program*" : "");
    for (size_t i = 0; i < n; i++) {
        const struct contender *c = &list[i];
        if (median(c, of_wall) < 0) {
            printf("%-18s %s\n", c->label, c->run[0].trouble);
            continue;
        }
        printf("%-18s %11s %11s %11.3f %9s %11s %11s %11s %9.0f", c->label, bytes_text(median(c, of_rss)),
               bytes_text(c->library), median(c, of_rss) / (double)(t->peak ? t->peak : 1),
               bytes_text(median(c, of_end)), bytes_text(median(c, of_live)), seconds_text(median(c, of_wall)),
               seconds_text(median(c, of_cpu)), median(c, of_faults));
        if (c->program > 0)
            printf(" %11s", bytes_text(c->program));
        printf("%s\n", c->run[0].result.failed ? "  (some allocations failed)" : "");
    }
    if (n && list[0].program > 0)
        printf("* peak RSS of the whole program, estimated: what it held when it was recorded, with this allocator's "
               "share%s\n",
               timing ? "" : " at the peak; --timing exchanges it moment by moment");
}

/* RSS at a time, from samples in order of time. */
static double sampled_at(const json_t *samples, double at) {
    double rss = 0;
    for (size_t i = 0; i < json_array_size(samples); i++) {
        const json_t *row = json_array_get(samples, i);
        if (json_number_value(json_array_get(row, 0)) > at && i)
            break;
        rss = json_number_value(json_array_get(row, 1));
    }
    return rss;
}

/* What the whole program's peak RSS would be: its RSS when it was recorded, with the recorded allocator's share (as replayed) exchanged for
 * this one's, and the libraries' own pages; 0: not known. Times that were kept are laid over each other, moment by moment; without them the
 * peaks are exchanged, as if the blocks' peak were the program's. */
static double program_estimate(const struct trace_file *f, const struct trace_stream *s, const struct contender *c,
                               const struct contender *recorded, bool timing) {
    const char *begin = json_string_value(json_object_get(f->end, "begin"));
    if (!begin || !recorded || *c->run[0].trouble || *recorded->run[0].trouble || s->start < strtoull(begin, NULL, 10))
        return 0;
    if (!timing) {
        double top = 0;
        for (size_t i = 0; i < json_array_size(s->samples); i++)
            top = fmax(top, json_number_value(json_array_get(json_array_get(s->samples, i), 1)));
        return top > 0 ? top + (double)c->run[0].result.peak_rss - (double)recorded->run[0].result.peak_rss : 0;
    }
    double shift = (double)(s->start - strtoull(begin, NULL, 10)) / f->ticks, top = 0;
    double library = (double)c->run[0].result.baseline_rss - (double)recorded->run[0].result.baseline_rss;
    for (size_t i = 0; i < json_array_size(s->samples); i++) {
        const json_t *row = json_array_get(s->samples, i);
        double at = json_number_value(json_array_get(row, 0)) - shift;
        double now = json_number_value(json_array_get(row, 1)) + library + sampled_at(c->run[0].samples, at) -
                     sampled_at(recorded->run[0].samples, at);
        top = now > top ? now : top;
    }
    return top;
}

/* The contender that the recording was made under, if it takes part. */
static const struct contender *contender_recorded(const struct trace_file *f, const struct contender *list, size_t n) {
    const char *lib = json_string_value(json_object_get(f->end, "library"));
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i].path, lib ? lib : "") == 0)
            return list[i].runs ? &list[i] : NULL;
    return NULL;
}

/* Runs that are not made yet, so that an interrupt leaves something to show. */
static struct replay_run *runs_make(unsigned n) {
    struct replay_run *run = xmalloc(n * sizeof *run);
    memset(run, 0, n * sizeof *run);
    snprintf(run[0].trouble, sizeof run[0].trouble, "not run");
    return run;
}

/* Runs all contenders in turn; the order turns with each round. */
static int replay_rounds(struct contender *list, size_t n, const char *plan, const struct replay_options *o) {
    struct progress progress;
    int status = STATUS_OK;
    uint64_t own = replay_baseline(plan);
    progress_begin(&progress, "replay");
    for (size_t i = 0; i < n; i++)
        list[i].run = runs_make(o->rounds);
    for (unsigned round = 0; round < o->rounds && !interrupted(); round++)
        for (size_t i = 0; i < n; i++) {
            struct contender *c = &list[(i + round) % n];
            progress_show(&progress, (double)(round * n + i) / (double)(o->rounds * n), c->label);
            c->run[c->runs] = replay_once(plan, c->path, o->timing);
            const struct replay_run *r = &c->run[c->runs++];
            if (*r->trouble || !r->served)
                status = *r->trouble ? STATUS_FAILED : STATUS_UNPROVEN;
            if (!*r->trouble && !r->served)
                warn("%s: malloc was served by %s instead", c->path, r->result.served_by);
            if (own && r->result.baseline_rss > own)
                c->library = (double)(r->result.baseline_rss - own);
            if (interrupted())
                break;
        }
    progress_end(&progress);
    return status;
}

static int replay_stream(const struct trace_file *f, const struct trace_stream *s, const struct replay_options *o,
                         json_t *out) {
    struct plan_totals t;
    struct contender *list;
    char why[256];
    const char *dir = o->scratch                      ? o->scratch
                      : access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                      : getenv("TMPDIR")              ? getenv("TMPDIR")
                                                      : "/tmp";
    size_t n = contenders_make(o->libs, &list);
    char *plan = plan_make(f, s, dir, &t, why);
    if (!plan) {
        warn("%s%s", o->scratch && strncmp(why, dir, strlen(dir)) == 0 ? "--scratch " : "", why);
        return STATUS_FAILED;
    }
    int status = replay_rounds(list, n, plan, o);
    for (size_t i = 0; i < n; i++)
        list[i].program =
            list[i].runs ? program_estimate(f, s, &list[i], contender_recorded(f, list, n), o->timing) : 0;
    unlink(plan);
    free(plan);
    if (o->json)
        json_array_append_new(out, replay_json(s, &t, list, n, o->timing));
    else
        replay_print(s, &t, list, n, o->timing);
    for (size_t i = 0; i < n; i++) {
        for (unsigned k = 0; k < list[i].runs; k++)
            json_decref(list[i].run[k].samples);
        free(list[i].run);
        free(list[i].path);
        free(list[i].label);
    }
    free(list);
    return status;
}

int cmd_replay(int argc, char **argv) {
    struct replay_options o = {0};
    const char *rounds = "3";
    struct trace_file f;
    char why[256];
    struct kept kept[] = {{'l', NULL, &o.libs},   {'p', NULL, &o.process}, {'a', &o.all, NULL},  {'n', NULL, &rounds},
                          {'t', &o.timing, NULL}, {'s', NULL, &o.scratch}, {'j', &o.json, NULL}, {0}};
    int first = parse_mixed(&replay_argp, argc, argv, kept), status = STATUS_OK;
    o.rounds = (unsigned)integer_arg("--rounds", rounds, 1, 1000);
    if (first + 1 != argc)
        fail(STATUS_USAGE, "give one recording, for instance: hakmem replay program.hkt --lib libc,hakmem");
    const char *path = argv[first];
    if (!trace_open(&f, path, why))
        fail(STATUS_FAILED, "%s", why);
    if (!f.end || f.cut_bytes)
        warn("%s: the recording was cut; what is there is replayed", path);
    interrupt_catch();
    json_t *out = json_array();
    for (size_t i = 0; i < f.streams && !interrupted(); i++) {
        const struct trace_stream *s = o.all ? &f.stream[i] : trace_pick(&f, o.process);
        if (!s)
            fail(STATUS_USAGE, "--process %s: %s holds no such process; `hakmem trace --list %s` shows them", o.process,
                 path, path);
        int one = replay_stream(&f, s, &o, out);
        status = one ? one : status;
        if (!o.all)
            break;
        if (!o.json)
            printf("\n");
    }
    if (o.json)
        json_print(o.all ? out : json_array_get(out, 0));
    json_decref(out);
    trace_close(&f);
    return !output_done() ? STATUS_FAILED : interrupted() ? STATUS_SIGNAL + 2 : status;
}
