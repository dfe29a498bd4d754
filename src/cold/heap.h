/* cold/heap.h : the registry of heaps: made once, reused by later threads, never freed.                                L2 */
#ifndef HAK_COLD_HEAP_H
#define HAK_COLD_HEAP_H

#include "base/attr.h"
#include "layout/heap.h"

/* An idle thread heap, or a new one; NULL when memory is out. */
HAK_HIDDEN struct heap *heap_acquire(enum heap_kind kind);
/* The heap's thread has gone (magazines settled, outboxes sent), or the first-class heap was destroyed: the next acquire reuses it. */
HAK_HIDDEN void heap_release(struct heap *h);
/* The heap with this id; NULL for 0 and ids never given. Lock-free. */
HAK_HIDDEN struct heap *heap_by_id(uint32_t id);
/* Ids are 1..heap_count(). */
HAK_HIDDEN uint32_t heap_count(void);
/* Thread heaps that no thread has just now. */
HAK_HIDDEN uint32_t heap_idle_count(void);
/* Thread heaps that a thread has; roughly, while threads come and go. */
HAK_HIDDEN uint32_t heap_busy_count(void);
/* Bytes of slabs' pages that were given back, of all heaps; without their locks. */
HAK_HIDDEN size_t heap_purged_bytes(void);
/* The heap whose blocks any thread may take under its lock: cold classes, and threads that are past their destructors. */
HAK_HIDDEN struct heap *heap_shared(void);

HAK_HIDDEN void heap_lock_all(void);
HAK_HIDDEN void heap_unlock_all(void);
HAK_HIDDEN void heap_child(void);

#endif
