/* cold/span.h : runs of units, from supers. Units are named by their number; 0 is none.                                L2 */
#ifndef HAK_COLD_SPAN_H
#define HAK_COLD_SPAN_H

#include "base/attr.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A run of units, its first unit's address a multiple of align units (a power of two up to 32).
 * *zeroed: every byte reads zero. 0 when memory is out. Any thread; takes the central lock, and calls the kernel without it. */
HAK_HIDDEN uint32_t span_alloc(uint32_t units, uint32_t align, bool *zeroed);
/* Gives a run back, whole or its tail. Its map words are 0 already. touched: its pages may be resident. */
HAK_HIDDEN void span_free(uint32_t unit, uint32_t units, bool touched);
/* Takes the more units behind the run, if all are free. */
HAK_HIDDEN bool span_extend(uint32_t unit, uint32_t units, uint32_t more);

/* arena_shed(), beside no growth; not at all when the claim cannot be had for long. No lock held. */
HAK_HIDDEN void span_shed(void);

/* Purge: claims one run of free dirty units that were freed before epoch (super.epoch's scale; UINT32_MAX: any) and returns it, 0 when
 * there is none; scan from *cursor, 0 at first. The caller purges it and gives it back with span_free(.., false). */
HAK_HIDDEN uint32_t span_claim_dirty(uint32_t *cursor, uint32_t epoch, uint32_t *units);

/* The first row of whole supers in the run for which no huge pages were asked is marked as if they were: their number, *super the first. */
HAK_HIDDEN uint32_t span_mark_huge(uint32_t unit, uint32_t units, uint32_t *super);

/* The super that the run lies in is marked as if huge pages were asked for, if nothing else of it is or was in use: its number, 0 otherwise (and for
 * the first super). */
HAK_HIDDEN uint32_t span_mark_first(uint32_t unit, uint32_t units);

struct span_stats {
    size_t used, dirty, clean; /* units: held by spans; free and touched; free and not */
    size_t peak;               /* used, at most in this window and the one before */
};
HAK_HIDDEN void span_stats_get(struct span_stats *out);
/* A window of demand ends: span_demand() forgets the one before it. */
HAK_HIDDEN void span_next_window(void);
HAK_HIDDEN size_t span_demand(void); /* units, most that were used in the last one to two windows; without the lock */
HAK_HIDDEN size_t span_dirty(void);  /* units, without the lock */
HAK_HIDDEN size_t span_used(void);

HAK_HIDDEN void span_init(void);
HAK_HIDDEN void span_lock(void);
HAK_HIDDEN void span_unlock(void);
HAK_HIDDEN void span_child(void);

#endif
