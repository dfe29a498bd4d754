/* trace_chart.c : the data of charts, and the parts that all kinds share; trace_draw.c draws. */
#include "trace_chart.h"
#include "util.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void text_add(struct text *t, const char *format, ...) {
    va_list args;
    for (;;) {
        size_t left = t->room - t->used;
        va_start(args, format);
        int n = vsnprintf(t->at ? t->at + t->used : NULL, t->at ? left : 0, format, args);
        va_end(args);
        if (n < 0)
            return;
        if (t->at && (size_t)n < left) {
            t->used += (size_t)n;
            return;
        }
        t->room = t->room * 2 + (size_t)n + 4096;
        t->at = xrealloc(t->at, t->room);
    }
}

void text_escape(struct text *t, const char *plain) {
    for (const char *p = plain ? plain : ""; *p; p++) {
        const char *safe = *p == '<' ? "&lt;" : *p == '>' ? "&gt;" : *p == '&' ? "&amp;" : *p == '"' ? "&quot;" : NULL;
        if (safe)
            text_add(t, "%s", safe);
        else
            text_add(t, "%c", (unsigned char)*p < 32 ? ' ' : *p);
    }
}

void text_free(struct text *t) {
    free(t->at);
    *t = (struct text){0};
}

const char *unit_text(enum unit unit, double value) {
    static char buffer[8][32];
    static unsigned turn;
    char *to = buffer[turn++ % 8];
    switch (unit) {
    case UNIT_BYTES:
        return bytes_text(value);
    case UNIT_SECONDS:
        return seconds_text(value);
    case UNIT_COUNT:
        return count_text(value);
    case UNIT_SHARE:
        snprintf(to, sizeof buffer[0], "%.2f %%", value * 100);
        return to;
    case UNIT_RATIO:
        break;
    }
    snprintf(to, sizeof buffer[0], value < 10 ? "%.3f" : "%.1f", value);
    return to;
}

const char *tick_text(enum unit unit, double value) {
    static char buffer[8][32];
    static unsigned turn;
    char *to = buffer[turn++ % 8];
    const char *full = unit_text(unit, value), *point = strchr(full, '.'), *rest = point ? point + 1 : "";
    rest += strspn(rest, "0123456789");
    const char *end = rest;
    while (point && end > point && (end[-1] == '0' || end[-1] == '.'))
        if (*--end == '.')
            break;
    if (value == 0 || !point)
        snprintf(to, sizeof buffer[0], "%s", value == 0 ? "0" : full);
    else
        snprintf(to, sizeof buffer[0], "%.*s%s", (int)(end - full), full, rest);
    return to;
}

struct chart *chart_new(enum chart_kind kind, enum unit unit, const char *key, const char *title) {
    struct chart *c = xmalloc(sizeof *c);
    *c = (struct chart){.kind = kind,
                        .unit = unit,
                        .key = xstrdup(key),
                        .title = xstrdup(title),
                        .text = xstrdup(""),
                        .row_name = "Of",
                        .interval_name = "95 % interval"};
    return c;
}

unsigned chart_series(struct chart *c, const char *name) {
    for (unsigned i = 0; i < c->series_used; i++)
        if (strcmp(c->series[i], name) == 0)
            return i;
    if (c->series_used == SERIES_MOST)
        return SERIES_MOST - 1;
    c->series[c->series_used] = xstrdup(name);
    return (unsigned)c->series_used++;
}

void chart_row(struct chart *c, const char *label, unsigned series, double value, double low, double high,
               const char *remark) {
    if (!isfinite(value))
        return;
    if (c->rows == c->rows_room)
        c->row = xrealloc(c->row, (c->rows_room = c->rows_room * 2 + 16) * sizeof *c->row);
    c->row[c->rows++] = (struct chart_row){xstrdup(label), xstrdup(remark ? remark : ""), value, low, high, 0, series};
}

void chart_point(struct chart *c, unsigned series, double x, double y) {
    struct chart_line *l = &c->line[series];
    if (!isfinite(x) || !isfinite(y))
        return;
    if (l->n == l->room) {
        l->room = l->room * 2 + 64;
        l->x = xrealloc(l->x, l->room * sizeof *l->x);
        l->y = xrealloc(l->y, l->room * sizeof *l->y);
    }
    l->x[l->n] = x;
    l->y[l->n++] = y;
}

void chart_free(struct chart *c) {
    for (size_t i = 0; i < c->rows; i++) {
        free(c->row[i].label);
        free(c->row[i].remark);
    }
    for (size_t i = 0; i < SERIES_MOST; i++) {
        free(c->series[i]);
        free(c->line[i].x);
        free(c->line[i].y);
    }
    free(c->row);
    free(c->key);
    free(c->title);
    free(c->text);
    free(c);
}

static bool has_intervals(const struct chart *c) {
    for (size_t i = 0; i < c->rows; i++)
        if (isfinite(c->row[i].low))
            return true;
    return false;
}

static bool has_remarks(const struct chart *c) {
    for (size_t i = 0; i < c->rows; i++)
        if (*c->row[i].remark)
            return true;
    return false;
}

static void heading(struct text *to, const char *name) { text_add(to, "<th scope=\"col\">%s</th>", name); }

static void table_rows(const struct chart *c, struct text *to) {
    bool interval = has_intervals(c), remarks = has_remarks(c), named = c->series_used > 1;
    const char *value = c->unit == UNIT_RATIO ? "Ratio" : c->unit == UNIT_SHARE ? "Share" : "Number";
    const char *const name[] = {c->row_name, named ? "Allocator" : NULL, value, interval ? c->interval_name : NULL,
                                remarks ? "Finding" : NULL};
    text_add(to, "<thead><tr>");
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        if (name[i])
            heading(to, name[i]);
    text_add(to, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < c->rows; i++) {
        const struct chart_row *r = &c->row[i];
        text_add(to, "<tr><th scope=\"row\">");
        text_escape(to, r->label);
        text_add(to, "</th>");
        if (named) {
            text_add(to, "<td>");
            text_escape(to, c->series[r->series]);
            text_add(to, "</td>");
        }
        text_add(to, "<td class=\"n\">%s</td>", unit_text(c->unit, r->value));
        if (interval && isfinite(r->low))
            text_add(to, "<td class=\"n\">%s – %s</td>", unit_text(c->unit, r->low), unit_text(c->unit, r->high));
        else if (interval)
            text_add(to, "<td></td>");
        if (remarks) {
            text_add(to, "<td>");
            text_escape(to, r->remark);
            text_add(to, "</td>");
        }
        text_add(to, "</tr>\n");
    }
}

/* A line's table has its first, highest and last value, and a dozen between: thousands of rows help nobody. */
static void table_lines(const struct chart *c, struct text *to) {
    text_add(to, "<thead><tr><th scope=\"col\">Of</th><th scope=\"col\">Time</th><th "
                 "scope=\"col\">Value</th></tr></thead><tbody>\n");
    for (size_t s = 0; s < c->series_used; s++) {
        const struct chart_line *l = &c->line[s];
        size_t top = 0, step = l->n / 12 + 1;
        for (size_t i = 0; i < l->n; i++)
            top = l->y[i] > l->y[top] ? i : top;
        for (size_t i = 0; i < l->n; i++) {
            if (i % step && i != top && i != l->n - 1)
                continue;
            text_add(to, "<tr><th scope=\"row\">");
            text_escape(to, c->series[s]);
            text_add(to, "%s</th><td class=\"n\">%s</td><td class=\"n\">%s</td></tr>\n", i == top ? " (highest)" : "",
                     unit_text(UNIT_SECONDS, l->x[i]), unit_text(c->unit, l->y[i]));
        }
    }
}

void chart_table(const struct chart *c, struct text *to) {
    text_add(to, "<table><caption>");
    text_escape(to, c->title);
    text_add(to, "</caption>");
    if (c->kind == CHART_LINES)
        table_lines(c, to);
    else
        table_rows(c, to);
    text_add(to, "</tbody></table>\n");
}
