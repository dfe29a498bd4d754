/* trace_report.c : from the JSON of the verbs to sections with charts. */
#include "trace_report.h"
#include "trace_summary.h"
#include "util.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const json_t *get(const json_t *j, const char *key) { return json_object_get(j, key); }

static double number(const json_t *j, const char *key) {
    const json_t *v = get(j, key);
    return json_is_number(v) ? json_number_value(v) : (double)NAN;
}

static const char *string(const json_t *j, const char *key) {
    const char *v = json_string_value(get(j, key));
    return v ? v : "";
}

static struct chart *section_chart(struct section *s, enum chart_kind kind, enum unit unit, const char *key,
                                   const char *title) {
    struct chart *c = chart_new(kind, unit, key, title);
    s->chart[s->charts++] = c;
    return c;
}

/* Charts that got no data are dropped. */
static void section_prune(struct section *s) {
    size_t kept = 0;
    for (size_t i = 0; i < s->charts; i++) {
        size_t points = s->chart[i]->rows;
        for (size_t k = 0; k < SERIES_MOST; k++)
            points += s->chart[i]->line[k].n;
        if (points)
            s->chart[kept++] = s->chart[i];
        else
            chart_free(s->chart[i]);
    }
    s->charts = kept;
}

static void chart_text(struct chart *c, const char *plain) {
    free(c->text);
    c->text = xstrdup(plain);
}

static void facts_add(struct text *to, const json_t *object) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        char *plain = json_is_string(value) ? xstrdup(json_string_value(value))
                                            : json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(4));
        text_add(to, "<tr><th scope=\"row\">");
        text_escape(to, key);
        text_add(to, "</th><td>");
        text_escape(to, plain);
        text_add(to, "</td></tr>\n");
        free(plain);
    }
}

static void command_add(struct text *to, const json_t *words) {
    text_add(to, "<p class=\"command\"><code>");
    for (size_t i = 0; i < json_array_size(words); i++) {
        text_add(to, i ? " " : "");
        text_escape(to, json_string_value(json_array_get(words, i)));
    }
    text_add(to, "</code></p>\n");
}

static void ab_over_time(struct section *s, const json_t *doc, const char *measure, enum unit unit, const char *title) {
    struct chart *c = section_chart(s, CHART_LINES, unit, measure, title);
    chart_text(c, "Each run of the comparison, by the time at which it ended.");
    const json_t *arms = get(doc, "arms"), *samples = get(doc, "samples");
    for (size_t i = 0; i < json_array_size(arms); i++)
        chart_series(c, string(json_array_get(arms, i), "label"));
    for (size_t i = 0; i < json_array_size(samples); i++) {
        const json_t *row = json_array_get(samples, i);
        if (strcmp(string(row, "phase"), "compare") != 0)
            continue;
        for (size_t k = 0; k < json_array_size(arms); k++)
            if (strcmp(string(json_array_get(arms, k), "name"), string(row, "arm")) == 0)
                chart_point(c, chart_series(c, string(json_array_get(arms, k), "label")), number(row, "at"),
                            number(row, measure));
    }
}

static void section_ab(struct section *s, const json_t *doc) {
    const json_t *arms = get(doc, "arms"), *verdict = get(doc, "verdict"), *measures = get(doc, "measures"),
                 *gap = get(doc, "gap");
    const char *a = string(json_array_get(arms, 0), "label"), *b = string(json_array_get(arms, 1), "label"),
               *word = string(verdict, "word");
    s->title = xprintf("%s against %s", *b ? b : "B", *a ? a : "A");
    text_add(&s->intro, "<p class=\"verdict %s\"><strong>",
             strcmp(word, "GO") == 0      ? "go"
             : strcmp(word, "NO-GO") == 0 ? "nogo"
                                          : "same");
    text_escape(&s->intro, word);
    text_add(&s->intro, "</strong> on ");
    text_escape(&s->intro, string(verdict, "measure"));
    text_add(&s->intro, ": ");
    text_escape(&s->intro, string(verdict, "reason"));
    text_add(&s->intro, "</p>\n<p>A: ");
    text_escape(&s->intro, *a ? a : "not named");
    text_add(&s->intro, ", B: ");
    text_escape(&s->intro, *b ? b : "not named");
    text_add(&s->intro, "</p>\n");
    command_add(&s->intro, get(doc, "command"));
    char *title = xprintf("%s relative to %s", *b ? b : "B", *a ? a : "A");
    struct chart *c = section_chart(s, CHART_DOTS, UNIT_RATIO, "ratios", title);
    free(title);
    chart_text(c, "Ratio with its 95 % bootstrap interval; 1 is no difference, left is less. Grey: the spread of "
                  "identical runs.");
    c->row_name = "Measure";
    chart_series(c, "ratio");
    for (size_t i = 0; i < json_array_size(measures); i++) {
        const json_t *m = json_array_get(measures, i);
        chart_row(c, string(m, "text"), 0, 1 + number(m, "change"), 1 + number(m, "low"), 1 + number(m, "high"),
                  string(m, "finding"));
        if (c->rows && number(m, "spread") > 0)
            c->row[c->rows - 1].spread = number(m, "spread");
    }
    const char *part;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)gap, part, value) {
        char *name = xprintf("gap, %s: %s", part, string(value, "name"));
        chart_row(c, name, 0, 1 + number(value, "change"), 1 + number(value, "low"), 1 + number(value, "high"),
                  string(value, "finding"));
        free(name);
    }
    ab_over_time(s, doc, "rss", UNIT_BYTES, "Peak RSS of each run");
    ab_over_time(s, doc, "faults", UNIT_COUNT, "Page faults of each run");
    ab_over_time(s, doc, "wall", UNIT_SECONDS, "Wall time of each run");
    if (json_array_size(get(doc, "failures")))
        text_add(&s->intro, "<p class=\"warn\">%zu runs failed; the others are shown.</p>\n",
                 json_array_size(get(doc, "failures")));
}

/* The benches' own names for what they measure, in words. */
static const char *bench_measure(const char *name) {
    return strcmp(name, "ns_per_op") == 0      ? "time of an operation"
           : strcmp(name, "peak_rss_kib") == 0 ? "peak RSS"
                                               : name;
}

static void section_bench(struct section *s, const json_t *doc) {
    const json_t *rows = get(doc, "rows"), *means = get(doc, "geomeans");
    s->title = xstrdup("Benches relative to libc");
    if (json_is_string(get(doc, "stopped")))
        text_add(&s->intro, "<p>%.0f rounds in %s: %s</p>\n", number(doc, "rounds"),
                 seconds_text(number(doc, "seconds")), string(doc, "stopped"));
    struct chart *mean = section_chart(s, CHART_DOTS, UNIT_RATIO, "means", "Geometric means relative to libc");
    chart_text(mean, "Over all benches; 1 is libc, left is less.");
    mean->row_name = "Measure";
    for (size_t i = 0; i < json_array_size(means); i++) {
        const json_t *m = json_array_get(means, i);
        chart_row(mean, bench_measure(string(m, "measure")), chart_series(mean, string(m, "label")), number(m, "ratio"),
                  (double)NAN, (double)NAN, "");
    }
    struct chart *c = NULL;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i), *ratios = get(row, "ratios");
        size_t at = 0; /* one chart a measure */
        for (at = 0; at < s->charts && (s->chart[at] == mean || strcmp(s->chart[at]->key, string(row, "measure")) != 0);
             at++)
            ;
        if (at == s->charts && s->charts == CHARTS_MOST)
            continue;
        char *title = xprintf("Each bench's %s relative to libc", bench_measure(string(row, "measure")));
        c = at < s->charts ? s->chart[at] : section_chart(s, CHART_DOTS, UNIT_RATIO, string(row, "measure"), title);
        free(title);
        chart_text(c,
                   "Ratio with its 95 % interval, of fewer than six rounds their whole range; 1 is libc, left is less. "
                   "libc' is libc again: what no difference looks like.");
        c->row_name = "Bench";
        char *name = xprintf("%s %s", string(row, "bench"), string(row, "case"));
        for (size_t k = 0; k < json_array_size(ratios); k++) {
            const json_t *r = json_array_get(ratios, k);
            chart_row(c, name, chart_series(c, string(r, "label")), number(r, "ratio"), number(r, "low"),
                      number(r, "high"), json_is_true(get(r, "same")) ? "within the A/A spread" : "");
        }
        free(name);
    }
}

static void bars_of(struct section *s, const json_t *rows, const char *key, const char *title, const char *label,
                    const char *value, enum unit unit) {
    struct chart *c = section_chart(s, CHART_BARS, unit, key, title);
    size_t n = json_array_size(rows), top = 0;
    double sum = 0;
    while (n && number(json_array_get(rows, n - 1), value) == 0) /* a histogram ends with its last block */
        n--;
    c->row_name = strcmp(label, "to") == 0 ? "Size" : strcmp(label, "scheme") == 0 ? "Scheme" : "Lived";
    for (size_t i = 0; i < n; i++) {
        const json_t *row = json_array_get(rows, i), *name = get(row, label);
        double v = json_number_value(name);
        char *text = json_is_string(name)                 ? xstrdup(json_string_value(name))
                     : strcmp(label, "to") == 0           ? xprintf("to %s", size_text(v))
                     : json_is_null(name) || !isfinite(v) ? xstrdup("longer")
                                                          : xprintf("under %s", tick_text(UNIT_SECONDS, v));
        chart_row(c, text, 0, number(row, value), (double)NAN, (double)NAN, "");
        sum += number(row, value);
        top = c->row[c->rows - 1].value > c->row[top].value ? c->rows - 1 : top;
        free(text);
    }
    if (c->rows && unit == UNIT_COUNT && sum > 0) {
        char *plain = xprintf("The longest bar, %s: %s of %s blocks, %.0f %%.", c->row[top].label,
                              count_text(c->row[top].value), count_text(sum), 100 * c->row[top].value / sum);
        chart_text(c, plain);
        free(plain);
    } else if (c->rows) {
        chart_text(c, "What is lost to rounding sizes up, as a share of the bytes asked for.");
    }
}

static void curve_of(struct chart *c, const char *series, const json_t *rows, size_t column) {
    if (!json_array_size(rows))
        return;
    unsigned n = chart_series(c, series);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        chart_point(c, n, json_number_value(json_array_get(row, 0)), json_number_value(json_array_get(row, column)));
    }
}

static const char *threads_text(double n) {
    static char text[48];
    snprintf(text, sizeof text, n == 1 ? "%.0f thread" : "%.0f threads", n);
    return text;
}

static void section_trace(struct section *s, const json_t *doc) {
    s->title = xprintf("Memory of %s", string(doc, "program"));
    command_add(&s->intro, get(doc, "args"));
    text_add(&s->intro,
             "<p>Peak live <strong>%s</strong> in %s blocks; %s blocks asked for by %s, %s in all; %.2f %% "
             "were freed by another "
             "thread.</p>\n",
             bytes_text(number(doc, "peak_live_bytes")), count_text(number(doc, "peak_live_blocks")),
             count_text(number(doc, "blocks")), threads_text(number(doc, "threads")),
             bytes_text(number(doc, "requested_bytes")), number(get(doc, "cross_thread"), "share") * 100);
    if (!json_is_true(get(doc, "whole")))
        text_add(&s->intro, "<p class=\"warn\">The recording was cut; the figures are those up to the cut.</p>\n");
    struct chart *c = section_chart(s, CHART_LINES, UNIT_BYTES, "memory", "Memory over time");
    chart_text(c, "RSS of the process, and the bytes that it had asked for and not yet freed.");
    curve_of(c, "RSS", get(doc, "samples"), 1);
    curve_of(c, "live bytes", get(doc, "live_over_time"), 1);
    c = section_chart(s, CHART_LINES, UNIT_COUNT, "faults", "Page faults over time");
    chart_text(c, "Minor and major faults since the process began.");
    curve_of(c, "page faults", get(doc, "samples"), 2);
    bars_of(s, get(doc, "sizes"), "sizes", "Blocks asked for, by size", "to", "blocks", UNIT_COUNT);
    bars_of(s, get(doc, "sizes"), "sizes-live", "Blocks live at the peak, by size", "to", "live_at_peak", UNIT_COUNT);
    bars_of(s, get(doc, "lifetimes"), "lifetimes", "Blocks freed, by how long they lived", "below_seconds", "blocks",
            UNIT_COUNT);
    bars_of(s, get(doc, "schemes"), "schemes", "Waste at the peak, by size-class scheme", "scheme", "waste_at_peak",
            UNIT_SHARE);
}

static void replay_dots(struct section *s, const json_t *all, const char *measure, const char *key, const char *title) {
    struct chart *c = section_chart(s, CHART_DOTS, UNIT_RATIO, key, title);
    double base = number(json_array_get(all, 0), measure);
    chart_series(c, "ratio");
    for (size_t i = 0; base > 0 && i < json_array_size(all); i++) {
        const json_t *a = json_array_get(all, i), *runs = get(a, "runs");
        double low = (double)NAN, high = (double)NAN;
        for (size_t k = 0; k < json_array_size(runs) && json_array_size(runs) > 1; k++) {
            double v = number(json_array_get(runs, k), measure) / base;
            low = isnan(low) || v < low ? v : low;
            high = isnan(high) || v > high ? v : high;
        }
        chart_row(c, string(a, "name"), 0, number(a, measure) / base, low, high, "");
    }
    chart_text(c,
               "Median of the replays, relative to the first allocator; the whiskers are the least and the greatest.");
    c->row_name = "Allocator";
    c->interval_name = "Least to greatest";
}

static void section_replay(struct section *s, const json_t *doc) {
    const json_t *all = get(doc, "allocators");
    s->title = xprintf("Replay of %s", string(doc, "program"));
    command_add(&s->intro, get(doc, "args"));
    text_add(&s->intro, "<p>%s operations by %s, peak live %s; relative to %s.</p>\n",
             count_text(number(doc, "operations")), threads_text(number(doc, "threads")),
             bytes_text(number(doc, "recorded_peak_live")), string(json_array_get(all, 0), "name"));
    replay_dots(s, all, "peak_rss", "replay-rss", "Peak RSS above the replayer's own");
    replay_dots(s, all, "wall", "replay-wall", "Wall time of the replay");
    replay_dots(s, all, "faults", "replay-faults", "Page faults of the replay");
    struct chart *c = section_chart(s, CHART_LINES, UNIT_BYTES, "replay-memory", "RSS over time");
    chart_text(c, "RSS above the replayer's own, in the first replay under each allocator.");
    for (size_t i = 0; i < json_array_size(all) && i < SERIES_MOST; i++)
        curve_of(c, string(json_array_get(all, i), "name"), get(json_array_get(all, i), "samples"), 1);
}

bool section_make(struct section *s, const json_t *doc) {
    *s = (struct section){0};
    if (strcmp(string(doc, "tool"), "hakmem ab") == 0)
        section_ab(s, doc);
    else if (strcmp(string(doc, "tool"), "hakmem bench") == 0)
        section_bench(s, doc);
    else if (get(doc, "hakmem_trace"))
        section_trace(s, doc);
    else if (get(doc, "hakmem_replay"))
        section_replay(s, doc);
    else
        return false;
    facts_add(&s->facts, get(doc, "machine"));
    section_prune(s);
    return true;
}

void section_free(struct section *s) {
    for (size_t i = 0; i < s->charts; i++)
        chart_free(s->chart[i]);
    text_free(&s->intro);
    text_free(&s->facts);
    free(s->title);
}
