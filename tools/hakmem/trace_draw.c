/* trace_draw.c : draws charts as SVG. Colours come from classes: the page's style sheet (light and dark) or that of a single picture.
 * Series differ by colour and by shape. */
#include "trace_chart.h"
#include "util.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 18, NARROW = 560 };

struct frame {
    double left, right, top, bottom; /* of the plotted area */
    double from, to;                 /* of the values along x */
    bool log;
};

static double place(const struct frame *f, double v) {
    double a = f->log ? log(f->from) : f->from, b = f->log ? log(f->to) : f->to,
           at = f->log ? log(v > 0 ? v : f->from) : v;
    double x = f->left + (at - a) / (b > a ? b - a : 1) * (f->right - f->left);
    return x < f->left ? f->left : x > f->right ? f->right : x;
}

static void words(struct text *to, double x, double y, const char *anchor, const char *class, const char *plain) {
    text_add(to, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor, class);
    text_escape(to, plain);
    text_add(to, "</text>\n");
}

/* A label that fits into about `room` pixels. */
static void label(struct text *to, double x, double y, const char *anchor, const char *plain, double room) {
    char cut[128];
    size_t most = (size_t)(room / 6.6) < sizeof cut - 4 ? (size_t)(room / 6.6) : sizeof cut - 4;
    snprintf(cut, sizeof cut, "%.*s%s", (int)most, plain, strlen(plain) > most ? "…" : "");
    words(to, x, y, anchor, "l", cut);
}

static void mark(struct text *to, unsigned series, double x, double y) {
    double r = 4.5;
    switch (series % 4) {
    case 0:
        text_add(to, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\" class=\"s%u\"/>", x, y, r, series);
        break;
    case 1:
        text_add(to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"8\" height=\"8\" class=\"s%u\"/>", x - 4, y - 4, series);
        break;
    case 2:
        text_add(to, "<path d=\"M%.1f %.1fl5 5l-5 5l-5-5z\" class=\"s%u\"/>", x, y - 5, series);
        break;
    default:
        text_add(to, "<path d=\"M%.1f %.1fl5 9h-10z\" class=\"s%u\"/>", x, y - 5, series);
        break;
    }
}

static double legend_draw(const struct chart *c, struct text *to, double width, double y) {
    double x = 4;
    if (c->series_used < 2)
        return y;
    for (unsigned i = 0; i < c->series_used; i++) {
        double need = 34 + 8 * (double)strlen(c->series[i]); /* the widest of the usual fonts, not the commonest */
        if (x > 4 && x + need > width) {
            x = 4;
            y += LINE;
        }
        mark(to, i, x + 6, y + 8);
        words(to, x + 16, y + 12, "start", "l", c->series[i]);
        x += need;
    }
    return y + LINE + 6;
}

/* Round steps: 1, 2 or 5 times a power of ten (of two for bytes). */
static double tick_step(double span, enum unit unit) {
    double rough = span / 4;
    if (unit == UNIT_BYTES)
        return rough > 1 ? pow(2, ceil(log2(rough))) : 1;
    double power = pow(10, floor(log10(rough > 0 ? rough : 1))), m = rough / power;
    return power * (m <= 1 ? 1 : m <= 2 ? 2 : m <= 5 ? 5 : 10);
}

static void ticks_x(struct text *to, const struct frame *f, enum unit unit) {
    double step = tick_step(f->to - f->from, unit);
    double last = -1e9;
    for (double v = ceil(f->from / step) * step; v <= f->to * 1.0001; v += step) {
        double x = place(f, v);
        text_add(to, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"g\"/>", x, x, f->top, f->bottom);
        if (x - last > 52) {
            words(to, x > f->right - 24 ? f->right : x, f->bottom + 14, x > f->right - 24 ? "end" : "middle", "t",
                  tick_text(unit, v));
            last = x;
        }
    }
}

/* Marks with the same label share a line. */
static bool row_begins(const struct chart *c, size_t i) {
    return i == 0 || strcmp(c->row[i].label, c->row[i - 1].label) != 0;
}

static size_t row_marks(const struct chart *c, size_t i) {
    size_t n = 1;
    while (i + n < c->rows && !row_begins(c, i + n))
        n++;
    return n;
}

static double row_height(const struct chart *c, size_t i, double width) {
    return (width < NARROW ? LINE : 4) + (double)(row_marks(c, i) > 1 ? row_marks(c, i) * 11 + 6 : LINE);
}

static void row_data(struct text *to, const struct chart *c, const struct chart_row *r) {
    text_add(to, "<g class=\"m\" data-value=\"%.17g\"", r->value);
    if (isfinite(r->low))
        text_add(to, " data-low=\"%.17g\" data-high=\"%.17g\"", r->low, r->high);
    text_add(to, "><title>");
    text_escape(to, r->label);
    if (c->series_used > 1) {
        text_add(to, ", ");
        text_escape(to, c->series[r->series]);
    }
    text_add(to, ": %s", unit_text(c->unit, r->value));
    if (isfinite(r->low))
        text_add(to, " (%s to %s)", unit_text(c->unit, r->low), unit_text(c->unit, r->high));
    if (*r->remark) {
        text_add(to, ", ");
        text_escape(to, r->remark);
    }
    text_add(to, "</title>");
}

static struct frame dots_frame(const struct chart *c, double width, double top, double bottom) {
    double least = 1, most = 1;
    for (size_t i = 0; i < c->rows; i++) {
        double low = isfinite(c->row[i].low) ? c->row[i].low : c->row[i].value,
               high = isfinite(c->row[i].high) ? c->row[i].high : c->row[i].value;
        low = fmin(low, 1 - c->row[i].spread);
        high = fmax(high, 1 + c->row[i].spread);
        least = low < least ? low : least;
        most = high > most ? high : most;
    }
    least = least < 0.02 ? 0.02 : least;
    double pad = pow(most / least, 0.06) * 1.01;
    bool narrow = width < NARROW;
    return (struct frame){narrow ? 12 : 230, width - (narrow ? 52 : 70), top, bottom, least / pad, most * pad, true};
}

static void ticks_ratio(struct text *to, const struct frame *f) {
    static const double at[] = {0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1,
                                1.02, 1.05, 1.1, 1.2, 1.3, 1.5, 2,   3,   5,   10,  20,   50,   100};
    double last = -1e9, one = place(f, 1);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        double x = place(f, at[i]);
        if (at[i] < f->from || at[i] > f->to || (at[i] != 1 && (fabs(x - one) < 34 || x - last < 34)))
            continue;
        char number[16];
        snprintf(number, sizeof number, "%g", at[i]);
        text_add(to, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>", x, x, f->top, f->bottom,
                 at[i] == 1 ? "one" : "g");
        words(to, x, f->bottom + 14, "middle", "t", number);
        last = x;
    }
}

static void dot_draw(const struct chart *c, struct text *to, const struct frame *f, const struct chart_row *r,
                     double y) {
    double x = place(f, r->value);
    row_data(to, c, r);
    if (r->spread > 0)
        text_add(to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"12\" class=\"band\"/>",
                 place(f, 1 - r->spread), y - 6, place(f, 1 + r->spread) - place(f, 1 - r->spread));
    if (isfinite(r->low)) {
        double a = place(f, r->low), b = place(f, r->high);
        text_add(to, "<path d=\"M%.1f %.1fv6m0-3H%.1fm0-3v6\" class=\"k%u\"/>", a, y - 3, b, r->series);
    }
    mark(to, r->series, x, y);
    text_add(to, "</g>\n");
}

static double dots_draw(const struct chart *c, struct text *to, double width, double top) {
    bool narrow = width < NARROW;
    double y = legend_draw(c, to, width, top), height = 0;
    for (size_t i = 0; i < c->rows; i += row_marks(c, i))
        height += row_height(c, i, width);
    struct frame f = dots_frame(c, width, y, y + height);
    ticks_ratio(to, &f);
    for (size_t i = 0; i < c->rows; i += row_marks(c, i)) {
        size_t n = row_marks(c, i);
        double h = row_height(c, i, width), line = y + (narrow ? LINE : 0) + 8;
        text_add(to, "<g class=\"row\" tabindex=\"0\" role=\"group\" aria-label=\"");
        text_escape(to, c->row[i].label);
        for (size_t k = 0; k < n; k++) {
            text_add(to, "; ");
            text_escape(to, c->series_used > 1 ? c->series[c->row[i + k].series] : "ratio");
            text_add(to, " %s", unit_text(c->unit, c->row[i + k].value));
        }
        text_add(to, "\"><rect x=\"0\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" class=\"hit\"/>", y, width, h);
        if (narrow)
            label(to, f.left, y + 13, "start", c->row[i].label, width - 80);
        else
            label(to, f.left - 10, y + h / 2 + 4, "end", c->row[i].label, f.left - 14);
        if (n == 1)
            words(to, width - 4, narrow ? y + 13 : line + 5, "end", "t", unit_text(c->unit, c->row[i].value));
        for (size_t k = 0; k < n; k++)
            dot_draw(c, to, &f, &c->row[i + k], line + 2 + (double)k * 11);
        text_add(to, "</g>\n");
        y += h;
    }
    words(to, narrow ? width / 2 : (f.left + f.right) / 2, y + 30, "middle", "t",
          "← less · ratio, 1: the same · more →");
    return y + 40 - top;
}

/* Room for the longest label, within reason. */
static double bars_pad(const struct chart *c, bool narrow) {
    double most = 6;
    for (size_t i = 0; i < c->rows; i++)
        most = fmax(most, (double)strlen(c->row[i].label));
    return fmin(18 + most * 7, narrow ? 140 : 230);
}

static double bars_draw(const struct chart *c, struct text *to, double width, double top) {
    bool narrow = width < NARROW;
    double most = 0, y = top, pad = bars_pad(c, narrow);
    for (size_t i = 0; i < c->rows; i++)
        most = c->row[i].value > most ? c->row[i].value : most;
    struct frame f = {pad, width - 78, top, top, 0, most > 0 ? most : 1, false};
    for (size_t i = 0; i < c->rows; i++, y += LINE) {
        const struct chart_row *r = &c->row[i];
        row_data(to, c, r);
        label(to, f.left - 8, y + 13, "end", r->label, pad - 10);
        text_add(to, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"12\" class=\"s%u\"/>", f.left, y + 3,
                 r->value > 0 ? fmax(place(&f, r->value) - f.left, 1) : 0, r->series);
        words(to, place(&f, r->value) + 6, y + 13, "start", "t", unit_text(c->unit, r->value));
        text_add(to, "</g>\n");
    }
    return y + 6 - top;
}

static void line_path(const struct chart *c, struct text *to, unsigned s, const struct frame *f, double most) {
    const struct chart_line *l = &c->line[s];
    size_t step = l->n / 600 + 1;
    double top = 0;
    text_add(to, "<path class=\"w%u\" d=\"", s);
    for (size_t i = 0; i < l->n; i += step) {
        double y = l->y[i];
        for (size_t k = i; k < i + step && k < l->n; k++)
            y = l->y[k] > y ? l->y[k] : y;
        text_add(to, "%c%.1f %.1f", i ? 'L' : 'M', place(f, l->x[i]), f->bottom - y / most * (f->bottom - f->top));
        top = y > top ? y : top;
    }
    text_add(to, "\" data-points=\"%zu\" data-highest=\"%.17g\"><title>", l->n, top);
    text_escape(to, c->series[s]);
    text_add(to, ": highest %s</title></path>\n", unit_text(c->unit, top));
}

static double lines_draw(const struct chart *c, struct text *to, double width, double top) {
    double y = legend_draw(c, to, width, top), most = 0, last = 0;
    for (size_t s = 0; s < c->series_used; s++)
        for (size_t i = 0; i < c->line[s].n; i++) {
            most = c->line[s].y[i] > most ? c->line[s].y[i] : most;
            last = c->line[s].x[i] > last ? c->line[s].x[i] : last;
        }
    struct frame f = {66, width - 12, y + 8, y + 8 + (width < NARROW ? 160 : 220), 0, last > 0 ? last : 1, false};
    double step = tick_step(most > 0 ? most : 1, c->unit), limit = ceil(most / step) * step;
    limit = limit > 0 ? limit : 1;
    for (double v = 0; v <= limit * 1.0001; v += step) {
        double at = f.bottom - v / limit * (f.bottom - f.top);
        text_add(to, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"g\"/>", f.left, f.right, at, at);
        words(to, f.left - 6, at + 4, "end", "t", tick_text(c->unit, v));
    }
    ticks_x(to, &f, UNIT_SECONDS);
    for (unsigned s = 0; s < c->series_used; s++)
        line_path(c, to, s, &f, limit);
    return f.bottom + 24 - top;
}

double chart_draw(const struct chart *c, struct text *to, double width, double top) {
    return c->kind == CHART_DOTS   ? dots_draw(c, to, width, top)
           : c->kind == CHART_BARS ? bars_draw(c, to, width, top)
                                   : lines_draw(c, to, width, top);
}

double chart_height(const struct chart *c, double width) {
    struct text nowhere = {0};
    double h = chart_draw(c, &nowhere, width, 0);
    text_free(&nowhere);
    return h;
}
