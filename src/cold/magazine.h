/* cold/magazine.h : a thread's magazines on their slow side: refill, overflow, give-back.                              L2
 * Owner of the cache only, other than where said. */
#ifndef HAK_COLD_MAGAZINE_H
#define HAK_COLD_MAGAZINE_H

#include "base/atomic.h"
#include "base/attr.h"
#include "layout/heap.h"
#include "layout/thread_cache.h"
#include <stddef.h>

/* A block of class cls: from the chunk below, from remote frees, or from a refill. NULL when memory is out. */
HAK_HIDDEN void *magazine_refill(struct thread_cache *t, struct heap *h, unsigned cls);
/* Puts a block of the heap's own on its magazine, whose chunk is full or missing. */
HAK_HIDDEN void magazine_overflow(struct thread_cache *t, struct heap *h, void *p, unsigned cls);
/* Puts a block of the heap's own on its magazine. */
HAK_INLINE void magazine_push(struct thread_cache *t, struct heap *h, void *p, unsigned cls) {
    uintptr_t *top = t->top[cls];
    if (((uintptr_t)top & (HAK_CHUNK_BYTES - 1)) == 0) {
        magazine_overflow(t, h, p, cls);
    } else {
        hak_store_rlx(&t->top[cls], top + 1);
        *top = (uintptr_t)p;
    }
}
/* Settles every block of one class, or of all, and gives the chunks back. */
HAK_HIDDEN void magazine_settle_class(struct thread_cache *t, struct heap *h, unsigned cls);
HAK_HIDDEN void magazine_settle_all(struct thread_cache *t, struct heap *h);
/* Idle shrink: a class that was not refilled since the last call keeps one refill. */
HAK_HIDDEN void magazine_shrink(struct thread_cache *t, struct heap *h);
/* The heap took a slab for class cls. When it grew by a 32nd, classes that were not refilled since it last did give back what they cache, but
 * for one refill: what lies there may be what the others lack. */
HAK_HIDDEN void magazine_grown(struct thread_cache *t, struct heap *h, unsigned cls);
/* Blocks that wait in the magazine of a class. Any thread: a racing owner makes it a chunk wrong at most. */
HAK_HIDDEN size_t magazine_count(const struct thread_cache *t, const struct heap *h, unsigned cls);

#endif
