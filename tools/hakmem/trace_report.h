/* trace_report.h : results of the other verbs as a page that people look at. */
#ifndef TRACE_REPORT_H
#define TRACE_REPORT_H

#include <jansson.h>

#include "trace_chart.h"

enum { CHARTS_MOST = 12 };

/* One result. */
struct section {
    char *title;
    struct text intro; /* HTML: the verdict, the command, what is worth a sentence */
    struct text facts; /* HTML rows of the environment */
    struct chart *chart[CHARTS_MOST];
    size_t charts;
};

/* Makes a section of what `hakmem ab`, `bench`, `trace` or `replay` printed with --json. false: it is none of these. */
bool section_make(struct section *s, const json_t *document);
void section_free(struct section *s);

/* The page; one picture of all charts (those whose key is `only`, if not NULL) for a paper. */
void report_page(struct text *to, const struct section *s, size_t n);
void report_picture(struct text *to, const struct section *s, size_t n, const char *only);

#endif
