/* cold/steal.h : slabs of heaps whose thread has ended serve running threads.                                           L2 */
#ifndef HAK_COLD_STEAL_H
#define HAK_COLD_STEAL_H

#include "base/attr.h"
#include "layout/heap.h"
#include <stdbool.h>

/* One partial slab of class cls, of some idle thread heap, becomes h's. False: none was found, or h is no running thread's. Owner of h. */
HAK_HIDDEN bool steal_slab(struct heap *h, unsigned cls);
/* One partial slab of class cls that v has becomes h's; living: though a thread has v. Owner of h. */
HAK_HIDDEN bool steal_from(struct heap *h, struct heap *v, unsigned cls, bool living);
/* The heap's current slabs become partial ones, which settle releases and others find; wholly free ones are released. Before heap_release(). */
HAK_HIDDEN void steal_offer(struct heap *h);

#endif
