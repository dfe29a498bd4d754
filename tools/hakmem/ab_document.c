/* ab_document.c : the record of a comparison as JSON, and what people read of it. Printing needs nothing but the record, so `ab show` prints the
 * same again. */
#include "ab.h"
#include "proof.h"
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static json_t *settings_json(const struct settings *s) {
    json_t *out = json_object();
    for (size_t i = 0; i < s->count; i++) {
        json_object_set_new(out, s->item[i].name, json_string(s->item[i].value));
    }
    return out;
}

static json_t *arms_json(const struct ab *ab) {
    json_t *out = json_array();
    for (size_t i = 0; i < ab->arms; i++) {
        const struct arm *a = &ab->arm[i];
        json_array_append_new(out, json_pack("{s:s, s:s, s:o, s:o}", "name", a->name, "label", a->label, "library",
                                             library_facts(a->library), "settings", settings_json(&a->settings)));
    }
    return out;
}

static json_t *plan_json(const struct ab *ab) {
    return json_pack("{s:I, s:f, s:f, s:f, s:I, s:I, s:i, s:b, s:s?, s:s}", "pairs", (json_int_t)ab->pairs, "budget",
                     ab->budget, "precision", ab->precision, "threshold", ab->threshold, "warmup",
                     (json_int_t)ab->warmup, "seed", (json_int_t)ab->seed, "cpu", ab->job.cpu, "keep_env",
                     ab->job.keep_env, "metric", ab->metric_text, "counter",
                     !ab->instructions  ? "none"
                     : ab->job.counters ? "perf_event"
                                        : "callgrind");
}

json_t *ab_document(const struct ab *ab, const struct rounds *r, json_t *analysis, json_t *machine) {
    json_t *command = json_array();
    for (char **a = ab->job.argv; *a; a++) {
        json_t *text = json_string(*a);
        json_array_append_new(command, text ? text : json_string("(not UTF-8)"));
    }
    double load[3] = {0};
    getloadavg(load, 3);
    json_t *out =
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:f, s:[f, f, f], s:s, s:b}", "tool", "hakmem ab", "version",
                  HAKMEM_TOOL_VERSION, "command", command, "arms", arms_json(ab), "plan", plan_json(ab), "machine",
                  machine, "seconds", now_seconds() - r->began, "load_after", load[0], load[1], load[2], "stopped",
                  r->stopped ? r->stopped : "", "interrupted", r->interrupted);
    json_object_update(out, analysis);
    json_decref(analysis);
    json_object_set(out, "failures", r->failures);
    json_object_set(out, "proof", r->proof);
    json_object_set_new(out, "pairs", json_integer((json_int_t)r->compare.count));
    json_object_set_new(out, "control_pairs", json_integer((json_int_t)r->control.count));
    json_object_set(out, "samples", r->samples);
    return out;
}

static void print_head(const json_t *d) {
    const json_t *machine = json_object_get(d, "machine");
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(d, "arms"), i, item) {
        const char *path = json_string_value(json_object_get(json_object_get(item, "library"), "path"));
        printf("%s  %-24s %s\n", json_text(item, "name"), json_text(item, "label"), path && *path ? path : "libc");
    }
    fputs("on ", stdout);
    json_array_foreach(json_object_get(d, "command"), i, item) { printf(" %s", json_string_value(item)); }
    printf("\n    %s, %lld processors, kernel %s, THP %s, load %.1f; %s\n", json_text(machine, "processor"),
           (long long)json_integer_value(json_object_get(machine, "processors")), json_text(machine, "kernel"),
           json_text(machine, "thp"), json_number_value(json_array_get(json_object_get(machine, "load"), 0)),
           json_text(machine, "date"));
}

/* What the processes themselves said: the object behind malloc, and the options in force. */
static void print_proof(const json_t *d) {
    size_t i;
    json_t *arm;
    json_array_foreach(json_object_get(d, "arms"), i, arm) {
        const json_t *records = json_object_get(json_object_get(d, "proof"), json_text(arm, "name"));
        const json_t *last = json_array_get(records, json_array_size(records) - 1);
        if (!last) {
            continue;
        }
        printf("proof %s: %s in %s", json_text(arm, "name"), json_text(last, "malloc"), json_text(last, "exe"));
        const char *name;
        json_t *value;
        json_object_foreach(json_object_get(arm, "settings"), name, value) {
            const json_t *in_force = json_object_get(json_object_get(last, "options"), name);
            printf(", %s=%s", name, in_force ? json_string_value(in_force) : json_string_value(value));
        }
        putchar('\n');
    }
}

static void print_row(const json_t *f) {
    const char *name = json_text(f, "name");
    enum measure m = measure_named(name);
    const char *(*show)(double) = m < MEASURES ? measures[m].show : count_text;
    char interval[48];
    snprintf(interval, sizeof interval, "%+.2f .. %+.2f %%", json_number(f, "low") * 100, json_number(f, "high") * 100);
    printf("  %-12s %12s %12s %+9.2f %%  %-22s %8.4f  %6.2f %%  %s\n", name, show(json_number(f, "a")),
           show(json_number(f, "b")), json_number(f, "change") * 100, interval, json_number(f, "p"),
           json_number(f, "spread") * 100, json_text(f, "finding"));
}

static void print_failures(const json_t *d) {
    size_t i;
    json_t *f;
    json_array_foreach(json_object_get(d, "failures"), i, f) {
        printf("failed: %s round %lld, side %s (%s): %s\n", json_text(f, "phase"),
               (long long)json_integer_value(json_object_get(f, "round")), json_text(f, "arm"), json_text(f, "label"),
               json_text(f, "message"));
        const char *errors = json_string_value(json_object_get(f, "stderr"));
        if (errors && *errors && i == 0) {
            printf("  its last words: %s\n", errors);
        }
    }
}

static void print_gap(const json_t *gap) {
    static const char *const rows[][2] = {{"layout", "plain program -> hakmem's library loaded, libc serves"},
                                          {"allocator", "library loaded, libc serves -> hakmem"},
                                          {"total", "plain program -> hakmem"},
                                          {"door", "of A alone: library loaded, libc serves -> libc inside"}};
    if (json_object_size(gap) == 0) {
        return;
    }
    printf("the gap to libc (%s):\n", json_text(json_object_get(gap, "total"), "text"));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const json_t *f = json_object_get(gap, rows[i][0]);
        if (!f) {
            continue; /* a record of an older version, or of too few runs */
        }
        printf("  %-10s %+7.2f %%  %+.2f .. %+.2f %%  %s: %s\n", rows[i][0], json_number(f, "change") * 100,
               json_number(f, "low") * 100, json_number(f, "high") * 100, rows[i][1], json_text(f, "finding"));
    }
}

void ab_print(const json_t *d) {
    print_head(d);
    print_proof(d);
    print_failures(d);
    size_t i;
    json_t *f;
    if (json_array_size(json_object_get(d, "measures")) > 0) {
        printf("\n%lld pairs after %lld of A/A control; %s\n",
               (long long)json_integer_value(json_object_get(d, "pairs")),
               (long long)json_integer_value(json_object_get(d, "control_pairs")), json_text(d, "stopped"));
        printf("  %-12s %12s %12s %11s  %-22s %8s  %8s  %s\n", "measure", "A (median)", "B (median)", "B to A",
               "95 % interval", "p", "A/A", "B is");
    }
    json_array_foreach(json_object_get(d, "measures"), i, f) { print_row(f); }
    print_gap(json_object_get(d, "gap"));
    const json_t *verdict = json_object_get(d, "verdict");
    printf("\n%s on %s: %s\n", json_text(verdict, "word"), json_text(verdict, "measure"), json_text(verdict, "reason"));
}

int ab_status(const json_t *d) {
    const char *word = json_text(json_object_get(d, "verdict"), "word");
    if (json_is_true(json_object_get(d, "interrupted"))) {
        return STATUS_SIGNAL + 2;
    }
    if (strcmp(word, "NOT PROVEN") == 0) {
        return STATUS_UNPROVEN;
    }
    if (json_array_size(json_object_get(d, "failures")) > 0 || strcmp(word, "NO VERDICT") == 0) {
        return STATUS_FAILED;
    }
    return strcmp(word, "GO") == 0 ? STATUS_OK : strcmp(word, "NO-GO") == 0 ? STATUS_NOGO : STATUS_NODIFF;
}

/* The newest record in the state directory: names hold the date, so the last by name. */
static char *newest(void) {
    char *directory = ab_state_directory(), *best = NULL;
    DIR *d = directory ? opendir(directory) : NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        if (strncmp(e->d_name, "ab-", 3) == 0 && n > 5 && strcmp(e->d_name + n - 5, ".json") == 0 &&
            (!best || strcmp(e->d_name, best) > 0)) {
            free(best);
            best = xstrdup(e->d_name);
        }
    }
    if (d) {
        closedir(d);
    }
    if (!best) {
        fail(STATUS_USAGE, "show: there is no record yet in %s; give a FILE",
             directory ? directory : "the state directory");
    }
    return xprintf("%s/%s", directory, best);
}

int ab_show(int argc, char **argv) {
    static const struct argp_option options[] = {{"json", 'j', 0, 0, "print the record as it is", 0},
                                                 {0, 0, 0, 0, 0, 0}};
    static const struct argp argp = {
        options,  parse_kept,
        "[FILE]", "Prints a record of `hakmem ab` again; without FILE the newest.\vexample: hakmem ab show result.json",
        NULL,     NULL,
        NULL};
    bool json = false;
    argv[0] = xstrdup("hakmem ab show");
    int rest = parse_mixed(&argp, argc, argv, (struct kept[]){{'j', &json, NULL}, {0}});
    if (argc - rest > 1) {
        fail(STATUS_USAGE, "show: one FILE, not %d", argc - rest);
    }
    char *path = rest < argc ? argv[rest] : newest();
    json_t *d = json_read(path);
    if (strcmp(json_text(d, "tool"), "hakmem ab") != 0) {
        fail(STATUS_USAGE, "show: %s is not a record of `hakmem ab`", path);
    }
    if (json) {
        json_print(d);
    } else {
        ab_print(d);
    }
    return output_done() ? STATUS_OK : STATUS_FAILED;
}
