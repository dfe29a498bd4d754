/* trace_summary.h : what a recording says about a program's use of memory. */
#ifndef TRACE_SUMMARY_H
#define TRACE_SUMMARY_H

#include "trace_objects.h"

/* The summary of one process as JSON ("hakmem_trace": 1), which `hakmem trace` prints and `hakmem report` draws. */
json_t *summary_make(const struct trace_file *f, const struct trace_stream *s);
/* The same for people. */
void summary_print(const json_t *summary, FILE *to);

/* The edge of a size class: exactly, where bytes_text would say 1.2 KiB for 1.25. One buffer. */
const char *size_text(double bytes);

#endif
