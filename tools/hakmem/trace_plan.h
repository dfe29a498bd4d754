/* trace_plan.h : from a recording to a plan for the replayer. */
#ifndef TRACE_PLAN_H
#define TRACE_PLAN_H

#include "trace_objects.h"

struct plan_totals {
    uint64_t ops, peak, epochs, slots, threads;
    struct trace_counts counts;
};

/* Writes the plan of a process to a new file in folder dir. Returns the file's path (the caller unlinks and frees it), or NULL with a
 * message in why. */
char *plan_make(const struct trace_file *f, const struct trace_stream *s, const char *dir, struct plan_totals *totals,
                char why[256]);

#endif
