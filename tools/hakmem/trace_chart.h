/* trace_chart.h : charts as SVG, and the same figures as an HTML table. */
#ifndef TRACE_CHART_H
#define TRACE_CHART_H

#include <stdbool.h>
#include <stddef.h>

/* A growing text. */
struct text {
    char *at;
    size_t used, room;
};
void text_add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with <, >, &, " and control characters made safe for HTML and SVG. */
void text_escape(struct text *t, const char *plain);
void text_free(struct text *t);

enum unit { UNIT_RATIO, UNIT_BYTES, UNIT_SECONDS, UNIT_COUNT, UNIT_SHARE };
/* A value for people; one of eight rotating buffers. */
const char *unit_text(enum unit unit, double value);
/* The same for an axis: without decimals that say nothing. */
const char *tick_text(enum unit unit, double value);

enum chart_kind { CHART_DOTS, CHART_BARS, CHART_LINES };
enum { SERIES_MOST = 12 };

/* One mark of a dot plot (rows with the same label share a line) or one bar. */
struct chart_row {
    char *label, *remark;    /* remark: a verdict, "" if none */
    double value, low, high; /* low, high: NAN if there is no interval */
    double spread;           /* A/A spread: |ratio - 1| up to which nothing is to be believed; 0: not known */
    unsigned series;
};

struct chart_line {
    double *x, *y;
    size_t n, room;
};

struct chart {
    enum chart_kind kind;
    enum unit unit;     /* of values */
    char *key;          /* short name: ids, --chart */
    char *title, *text; /* text: what is seen, for those who do not see it */
    /* Headings of the table: what a row is of, what low to high is. */
    const char *row_name, *interval_name;
    char *series[SERIES_MOST];
    size_t series_used;
    struct chart_row *row;
    size_t rows, rows_room;
    struct chart_line line[SERIES_MOST];
};

struct chart *chart_new(enum chart_kind kind, enum unit unit, const char *key, const char *title);
unsigned chart_series(struct chart *c, const char *name);
void chart_row(struct chart *c, const char *label, unsigned series, double value, double low, double high,
               const char *remark);
void chart_point(struct chart *c, unsigned series, double x, double y);
void chart_free(struct chart *c);

/* The drawing, `width` pixels wide, at the vertical offset `top`; returns its height. Marks carry
 * data-value (and data-low, data-high) with the exact figures. */
double chart_draw(const struct chart *c, struct text *to, double width, double top);
double chart_height(const struct chart *c, double width);
void chart_table(const struct chart *c, struct text *to);

#endif
