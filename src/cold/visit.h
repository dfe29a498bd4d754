/* cold/visit.h : the magazines of a thread that sleeps are emptied by another, but for a block each, without a word on its hot path.   L2 */
#ifndef HAK_COLD_VISIT_H
#define HAK_COLD_VISIT_H

#include "base/atomic.h"
#include "base/attr.h"
#include "layout/heap.h"
#include "layout/thread_cache.h"

/* Settles what the magazines of v's thread hold. helper: whose spare chunks are used. Any thread, no lock held; calls the kernel. */
HAK_HIDDEN void visit_heap(struct heap *helper, struct heap *v);
/* Somebody visits, or has been here: ends that, and puts the magazine of class cls in order. Owner of h. */
HAK_HIDDEN void visit_end(struct thread_cache *t, struct heap *h, unsigned cls);
/* Before the owner looks at more of a magazine than its hot path does: whether to call visit_end(). Its thread_cache.busy is set. */
HAK_INLINE bool visit_noticed(const struct heap *h, unsigned cls) {
    hak_signal_fence();                       /* busy is written before: pairs with the barrier in visit_heap() */
    return hak_load_acq(&h->visit[cls]) != 0; /* acq: pairs with a fence's removal */
}
/* The owner settled the blocks of its magazine of class cls from the bottom up to slot: this is the bottom until visit_end(). */
HAK_HIDDEN void visit_raise(struct heap *h, unsigned cls, uintptr_t *slot);
/* The heap gets or loses its thread. Its lock held. */
HAK_HIDDEN void visit_forget(struct heap *h);
/* fork's child: the visitor is gone. h: the forking thread's heap, or NULL. */
HAK_HIDDEN void visit_child(struct heap *h);

#endif
