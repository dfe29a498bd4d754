/* cold/worker.h : a background thread that purges when the program is quiet.                                           L2 */
#ifndef HAK_COLD_WORKER_H
#define HAK_COLD_WORKER_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>

/* Starts the worker if the gate and the process' size say so. Any thread, inside the allocator, no lock held. */
HAK_HIDDEN void worker_poll(void);
/* Whether it runs, so that the caller need not purge; wakes it from a long sleep. Any thread, no lock held. */
HAK_HIDDEN bool worker_runs(void);
/* In fork's child: the worker is gone; the next poll starts another. */
HAK_HIDDEN void worker_child(void);

/* It does nothing in between, for a verifier that wants the heap still. No lock held. */
HAK_HIDDEN void worker_hold(void);
HAK_HIDDEN void worker_go_on(void);
/* What it does each time it wakes: waiting remote frees are settled, all that is old is purged. Returns how much there was. */
HAK_HIDDEN size_t worker_pass(void);
/* Milliseconds to the next pass, after one that found done to do and a sleep of last milliseconds (0: woken, or the first). */
HAK_HIDDEN unsigned worker_period(unsigned last, size_t done);

#endif
