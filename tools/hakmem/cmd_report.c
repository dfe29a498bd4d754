/* cmd_report.c : `hakmem report`: results as one page, or as a picture. */
#include "trace_report.h"
#include "trace_summary.h"
#include "util.h"

#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct report_options {
    const char *html, *svg, *png, *chart;
};

static const struct argp_option options[] = {
    {"output", 'o', "FILE", 0, "Write the page to FILE (HTML; \"-\": standard output)", 0},
    {"svg", 's', "FILE", 0, "Write the charts to FILE as SVG", 0},
    {"png", 'p', "FILE", 0, "Write the charts to FILE as PNG (needs rsvg-convert)", 0},
    {"chart", 'c', "KEY", 0, "Only this chart in the SVG or PNG (ratios, rss, faults, memory, sizes, schemes, ...)", 0},
    {0}};

static const struct argp report_argp = {.options = options,
                                        .parser = parse_kept,
                                        .args_doc = "FILE...",
                                        .doc = "Make one page of results: JSON of `hakmem ab`, `bench`, `trace "
                                               "--json`, `replay --json`, or recordings. The page needs no network, "
                                               "follows light and dark, and has each chart's figures as a table."
                                               "\vExample:\n  hakmem ab --lib libc,hakmem -o ab.json -- python3 "
                                               "script.py\n  hakmem report ab.json -o report.html\n"
                                               "  hakmem report ab.json --svg figure.svg --chart ratios"};

struct report {
    struct section *section;
    size_t sections;
};

static void report_add(struct report *r, const json_t *document, const char *path) {
    r->section = xrealloc(r->section, (r->sections + 1) * sizeof *r->section);
    if (!section_make(&r->section[r->sections], document))
        fail(STATUS_USAGE, "%s: not a result of hakmem ab, bench, trace --json or replay --json", path);
    r->sections++;
}

/* Of any version: trace_open says which ones it reads. */
static bool is_recording(const char *path) {
    char magic[6] = "";
    FILE *f = fopen(path, "rbe");
    size_t n = f ? fread(magic, 1, sizeof magic, f) : 0;
    if (!f || ferror(f))
        fail(STATUS_FAILED, "%s: %s", path, strerror(errno));
    fclose(f);
    if (!n)
        fail(STATUS_FAILED, "%s: it is empty", path);
    return n == sizeof magic && memcmp(magic, TRACE_MAGIC, sizeof magic) == 0;
}

static void report_file(struct report *r, const char *path) {
    json_t *document;
    if (is_recording(path)) {
        struct trace_file f;
        char why[256];
        if (!trace_open(&f, path, why))
            fail(STATUS_FAILED, "%s", why);
        const struct trace_stream *s = trace_pick(&f, NULL);
        if (!s)
            fail(STATUS_FAILED, "%s: no process is in this recording", path);
        if (!f.end || f.cut_bytes)
            warn("%s: the recording was cut; what is there is shown", path);
        document = summary_make(&f, s);
        trace_close(&f);
    } else {
        document = json_read(path);
    }
    if (json_is_array(document))
        for (size_t i = 0; i < json_array_size(document); i++)
            report_add(r, json_array_get(document, i), path);
    else
        report_add(r, document, path);
    json_decref(document);
}

static bool text_save(const struct text *t, const char *path) {
    FILE *f = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    bool ok = f && fwrite(t->at, 1, t->used, f) == t->used && fflush(f) == 0;
    int error = errno;
    ok = (!f || f == stdout || fclose(f) == 0) && ok;
    if (!ok)
        warn("%s: %s", path, strerror(error));
    return ok;
}

/* The picture goes through rsvg-convert: a drawing library is not worth linking into every verb. */
static bool png_save(const struct text *svg, const char *path) {
    char name[] = "/tmp/hakmem-report-XXXXXX", *argv[] = {(char *)(uintptr_t) "rsvg-convert",
                                                          (char *)(uintptr_t) "-z",
                                                          (char *)(uintptr_t) "2",
                                                          (char *)(uintptr_t) "-o",
                                                          (char *)(uintptr_t)path,
                                                          name,
                                                          NULL};
    int fd = mkstemp(name), status = 0;
    pid_t pid;
    if (fd < 0)
        fail(STATUS_FAILED, "/tmp: %s", strerror(errno));
    bool ok = write(fd, svg->at, svg->used) == (ssize_t)svg->used;
    close(fd);
    int error = ok ? posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) : errno;
    if (error == ENOENT)
        warn("--png needs the program rsvg-convert (Debian: apt install librsvg2-bin); --svg needs nothing");
    else if (error)
        warn("%s: %s", path, strerror(error));
    else if (waitpid(pid, &status, 0) < 0 || status != 0)
        error = EIO;
    if (error == EIO)
        warn("%s: rsvg-convert failed", path);
    unlink(name);
    return error == 0;
}

/* Ends the process if no result has that chart. */
static void chart_need(const struct report *r, const char *key) {
    const char **keys = xmalloc((r->sections * CHARTS_MOST + 1) * sizeof *keys), *near;
    struct text all = {0};
    size_t n = 0;
    for (size_t i = 0; i < r->sections; i++)
        for (size_t k = 0; k < r->section[i].charts; k++) {
            keys[n] = r->section[i].chart[k]->key;
            if (strcmp(keys[n], key) == 0) {
                free(keys);
                text_free(&all);
                return;
            }
            text_add(&all, "%s%s", n ? ", " : "", keys[n]);
            n++;
        }
    near = nearest(key, keys, n);
    fail(STATUS_USAGE, "--chart %s: no such chart in these results%s%s%s; they have %s", key,
         near ? "; did you mean " : "", near ? near : "", near ? "?" : "", all.used ? all.at : "none");
}

int cmd_report(int argc, char **argv) {
    struct report_options o = {0};
    struct report r = {0};
    struct text page = {0}, picture = {0};
    bool ok = true;
    struct kept kept[] = {{'o', NULL, &o.html}, {'s', NULL, &o.svg}, {'p', NULL, &o.png}, {'c', NULL, &o.chart}, {0}};
    for (int at = parse_mixed(&report_argp, argc, argv, kept); at < argc; at++)
        report_file(&r, argv[at]);
    if (!r.sections)
        fail(STATUS_USAGE, "give results, for instance: hakmem report ab.json -o report.html");
    if (!o.html && !o.svg && !o.png)
        fail(STATUS_USAGE, "say where to: -o report.html, --svg FILE or --png FILE");
    if (o.chart)
        chart_need(&r, o.chart);
    if (o.html) {
        report_page(&page, r.section, r.sections);
        ok = text_save(&page, o.html);
    }
    if (o.svg || o.png)
        report_picture(&picture, r.section, r.sections, o.chart);
    ok = (!o.svg || text_save(&picture, o.svg)) && ok;
    ok = (!o.png || png_save(&picture, o.png)) && ok;
    for (size_t i = 0; i < r.sections; i++)
        section_free(&r.section[i]);
    free(r.section);
    text_free(&page);
    text_free(&picture);
    return ok && output_done() ? STATUS_OK : STATUS_FAILED;
}
