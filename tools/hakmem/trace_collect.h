/* trace_collect.h : the recording parent: takes events out of the files that recorded processes write, while they run and after. */
#ifndef TRACE_COLLECT_H
#define TRACE_COLLECT_H

#include "trace_file.h"

struct collector;

/* Watches the scratch directory dir and writes to w. */
struct collector *collect_open(const char *dir, struct trace_writer *w);
/* Finds new processes, takes their full slots, samples their memory. Returns the number of slots taken. */
size_t collect_poll(struct collector *c);
/* Must stamps be the clock's? Decides it for this process: where Linux does not trust the time stamp counter, neither do we. */
bool collect_clock(void);
/* Takes everything that is left of all processes; nothing must run any more that should still be recorded. */
void collect_finish(struct collector *c);

/* Totals for the last block. */
struct collect_totals {
    size_t processes;
    uint64_t lost, untracked, unrecorded;
};
struct collect_totals collect_totals(const struct collector *c);
void collect_close(struct collector *c);

#endif
