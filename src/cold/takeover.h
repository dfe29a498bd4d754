/* cold/takeover.h : what a living thread that sleeps holds serves others.                                               L2 */
#ifndef HAK_COLD_TAKEOVER_H
#define HAK_COLD_TAKEOVER_H

#include "base/attr.h"
#include "layout/heap.h"
#include <stdbool.h>

/* Before h gets memory for a slab of class cls: when that would be memory which is not resident yet, what sleeping heaps hold is looked at.
 * True: one of their slabs is h's now. False: nothing, or a span was freed, which a new slab will find. Owner of h, no lock held. */
HAK_HIDDEN bool takeover_slab(struct heap *h, unsigned cls);
/* Empties the magazines of threads that sleep. helper: whose spare chunks are used. The worker, no lock of a heap held. */
HAK_HIDDEN void takeover_pass(struct heap *helper);

#endif
