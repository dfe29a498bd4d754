/* cold/remote.h : blocks freed by a thread that does not own their slab.                                               L2 */
#ifndef HAK_COLD_REMOTE_H
#define HAK_COLD_REMOTE_H

#include "base/atomic.h"
#include "base/attr.h"
#include "gates/gates.h"
#include "layout/heap.h"
#include "layout/thread_cache.h"
#include <stdbool.h>
#include <stdint.h>

/* A chunk on its way: [0] next, [1] count << 32 | bytes, [2..] blocks; sent when full or over this many bytes. */
enum { REMOTE_FIRST = 2, REMOTE_BATCH_BYTES = 16 << 10 };

/* Puts p, whose map word is word, into the outbox for its owner; sends the outbox when it is full. Owner of h. */
HAK_HIDDEN void remote_push(struct heap *h, void *p, uint32_t word);
/* remote_push() when the outbox for the owner is started and has room for one more than p; false, and nothing done, otherwise, for a large block and for word 0, too. */
HAK_INLINE bool remote_store(struct heap *h, void *p, uint32_t word) {
    struct outbox *o = &h->out[(word >> 8) % HAK_OUTBOXES];
    uint32_t cls = word ^ o->owner << 8;
    if (HAK_UNLIKELY(cls >= HAK_CLASSES)) {
        return false;
    }
    size_t n = o->n, bytes = o->bytes + hak_class[cls].size;
    /* An empty outbox has n == 0, and owner 0, which a word of 0 matches: one compare for both ends. */
    if (HAK_UNLIKELY(n - 1 >= hak_gates.remote_batch - 2 || bytes >= REMOTE_BATCH_BYTES)) {
        return false;
    }
    o->chunk->slot[REMOTE_FIRST + n] = (uintptr_t)p;
    o->n = (uint32_t)n + 1;
    o->bytes = bytes;
    return true;
}
/* Settles p, whose map word is word, straight into its owner's bitmap. Any thread, with or without a heap. */
HAK_HIDDEN void remote_settle_one(void *p, uint32_t word);
/* Settles v[0..n), most of them the owner's, each into the slab that it lies in. Any thread, no lock held. */
HAK_HIDDEN void remote_settle(struct heap *owner, const uintptr_t *v, unsigned n);
/* Sends whatever h's outboxes hold. Owner of h. */
HAK_HIDDEN void remote_flush(struct heap *h);
/* Takes the whole inbox and frees each block as its owner. Owner of h. */
HAK_HIDDEN void remote_drain(struct thread_cache *t, struct heap *h);
/* Settles the inbox of a heap whose owner does not come, its lock not held. helper: whose spare chunks are used. Any thread. */
HAK_HIDDEN void remote_help(struct heap *helper, struct heap *owner);

HAK_INLINE bool remote_pending(const struct heap *h) { return hak_load_rlx(&h->inbox) != 0; }

#endif
