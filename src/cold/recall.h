/* cold/recall.h : a thread whose calls all hit is called back to the slow path, where somebody looks at the clock.        L2 */
#ifndef HAK_COLD_RECALL_H
#define HAK_COLD_RECALL_H

#include "base/attr.h"
#include "layout/heap.h"
#include "layout/thread_cache.h"
#include <stddef.h>

/* The next calls + 1 mallocs of small sizes come through the door. Owner. */
HAK_HIDDEN void recall_set(struct thread_cache *t, struct heap *h, uint32_t calls);
/* The class of n bytes, for a call that came as of class HAK_CLASS_CLOSED. h: the thread's heap, or NULL. Owner. */
HAK_HIDDEN size_t recall_class(struct thread_cache *t, struct heap *h, size_t n);

#endif
