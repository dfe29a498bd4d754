/* trace_objects.h : addresses to objects: what each event did to which block. */
#ifndef TRACE_OBJECTS_H
#define TRACE_OBJECTS_H

#include "trace_file.h"

enum trace_act { ACT_BIRTH, ACT_DEATH, ACT_RESIZE, ACT_PAGES, ACT_THREAD_END };

/* Indexes of dead objects are used again. */
struct trace_object {
    uint64_t addr, size, born; /* born: stamp */
    uint64_t serial;           /* of its birth */
    uint64_t heap;             /* the first-class heap that it is of, or 0 */
    uint32_t next, prev;       /* in the list of that heap's objects */
    uint32_t thread;           /* that it was born in */
    bool live;
};

struct trace_action {
    enum trace_act act;
    uint32_t thread; /* index into stream.thread */
    uint32_t object;
    uint64_t stamp, size, old_size, born;
    uint32_t birth_thread;
    uint32_t pages; /* touched, plus 1; 0: not counted */
    uint8_t align_log2;
    bool zeroed, inherited;
};

struct trace_counts {
    uint64_t events, births, deaths, resizes, unknown_frees, missed_frees, inherited;
    uint64_t live, blocks, peak, peak_blocks, peak_stamp;
    uint64_t requested; /* all bytes ever asked for */
    uint64_t objects;   /* most indexes in use */
};

typedef void (*trace_visit)(void *context, const struct trace_action *a, const struct trace_counts *now);

/* Calls visit for each action of a process in order; a forked process begins with its parent's live blocks (inherited).
 * false: a block of the file is damaged; what came before it has been visited. */
bool trace_walk(const struct trace_file *f, const struct trace_stream *s, trace_visit visit, void *context,
                struct trace_counts *counts);

#endif
