/* cmd_trace.c : `hakmem trace`: what a recording says. */
#include "trace_summary.h"
#include "util.h"

#include <string.h>

struct trace_options {
    const char *process;
    bool json, all, list;
};

static const struct argp_option options[] = {
    {"process", 'p', "WHICH", 0,
     "The process to look at: its PID, its number in the list, or part of its name (default: that with most events)",
     0},
    {"all", 'a', NULL, 0, "Look at every process", 0},
    {"list", 'L', NULL, 0, "List the recorded processes", 0},
    {"json", 'j', NULL, 0, "Print JSON", 0},
    {0}};

static const struct argp trace_argp = {
    .options = options,
    .parser = parse_kept,
    .args_doc = "FILE",
    .doc = "Summarise a recording: sizes, lifetimes, blocks freed by another thread, peak live bytes, and what each "
           "size-class scheme would "
           "waste on it."
           "\vExample:\n  hakmem record -o py.hkt -- python3 script.py\n  hakmem trace py.hkt\n  hakmem trace --json "
           "py.hkt > py.json && hakmem report py.json -o py.html"};

static json_t *list_make(const struct trace_file *f) {
    json_t *list = json_array();
    for (size_t i = 0; i < f->streams; i++) {
        const struct trace_stream *s = &f->stream[i];
        json_array_append_new(list, json_pack("{s:i,s:i,s:s,s:b,s:I,s:i}", "number", (int)i, "pid", (int)s->pid,
                                              "program", trace_name(s), "forked", (int)s->forked, "events",
                                              (json_int_t)s->events, "threads", (int)s->threads));
    }
    return list;
}

static void list_print(const struct trace_file *f, bool json) {
    json_t *list = list_make(f);
    if (json)
        json_print(list);
    else
        for (size_t i = 0; i < f->streams; i++)
            printf("%3zu  pid %-8u %-20s %12s events%s\n", i, f->stream[i].pid, trace_name(&f->stream[i]),
                   count_text((double)f->stream[i].events), f->stream[i].forked ? "  (forked)" : "");
    json_decref(list);
}

static void trace_show(const struct trace_file *f, const struct trace_options *o, const char *path) {
    json_t *all = json_array();
    if (!o->process && !o->all && !o->json && f->streams > 1)
        printf("%zu processes recorded; this is the one with most events. Others: --process WHICH, --all, --list\n\n",
               f->streams);
    for (size_t i = 0; i < f->streams; i++) {
        const struct trace_stream *s = o->all ? &f->stream[i] : trace_pick(f, o->process);
        if (!s)
            fail(STATUS_USAGE, "--process %s: %s holds no such process; `hakmem trace --list %s` shows them",
                 o->process, path, path);
        json_t *summary = summary_make(f, s);
        if (!o->json)
            summary_print(summary, stdout);
        json_array_append_new(all, summary);
        if (!o->all)
            break;
        if (!o->json)
            printf("\n");
    }
    if (o->json)
        json_print(o->all ? all : json_array_get(all, 0));
    json_decref(all);
}

int cmd_trace(int argc, char **argv) {
    struct trace_options o = {0};
    struct trace_file f;
    char why[256];
    struct kept kept[] = {
        {'p', NULL, &o.process}, {'a', &o.all, NULL}, {'L', &o.list, NULL}, {'j', &o.json, NULL}, {0}};
    int first = parse_mixed(&trace_argp, argc, argv, kept);
    if (first + 1 != argc)
        fail(STATUS_USAGE, "give one recording, for instance: hakmem trace program.hkt");
    if (!trace_open(&f, argv[first], why))
        fail(STATUS_FAILED, "%s", why);
    if (!f.end || f.cut_bytes)
        warn("%s: the recording was cut; what is there is shown", argv[first]);
    if (o.list)
        list_print(&f, o.json);
    else
        trace_show(&f, &o, argv[first]);
    trace_close(&f);
    return output_done() ? STATUS_OK : STATUS_FAILED;
}
