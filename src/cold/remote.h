/* cold/remote.h : blocks freed by a thread that does not own their slab.                                               L2 */
#ifndef HAK_COLD_REMOTE_H
#define HAK_COLD_REMOTE_H

#include "base/atomic.h"
#include "base/attr.h"
#include "gates/gates.h"
#include "layout/heap.h"
#include "layout/magazine.h"
#include "layout/thread_cache.h"
#include <stdbool.h>
#include <stdint.h>

/* A chunk on its way: [0] next, [1] count << 32 | bytes, [remote_first()..] blocks; sent when full, which its end tells, or over this many bytes. */
enum { REMOTE_BATCH_BYTES = 16 << 10 };
HAK_INLINE unsigned remote_first(void) { return HAK_CHUNK_SLOTS - (unsigned)hak_gates.remote_batch; }

HAK_INLINE struct outbox *outbox_of(struct heap *h, uint32_t word) { return &h->out[(word >> 8) % HAK_OUTBOXES]; }
/* Blocks in an outbox whose place for the next one is at. */
HAK_INLINE unsigned outbox_count(uintptr_t *at) {
    return at ? (unsigned)(at - &chunk_of(at)->slot[remote_first()]) : 0;
}
HAK_INLINE size_t outbox_bytes(const struct outbox *o) { return o->at ? (size_t)(REMOTE_BATCH_BYTES - o->left) : 0; }

/* Puts p, whose map word is word, into the outbox for its owner; sends the outbox when it is full. Owner of h. */
HAK_HIDDEN void remote_push(struct heap *h, void *p, uint32_t word);
/* remote_push() when the outbox for the owner is started and has room for one more than p; false, and nothing done, otherwise, for a large block and for word 0, too. */
HAK_INLINE bool remote_store(struct heap *h, void *p, uint32_t word) {
    struct outbox *o = outbox_of(h, word);
    uint32_t cls = word ^ o->key;
    if (HAK_UNLIKELY(cls >= HAK_CLASSES)) {
        return false;
    }
    int32_t left =
        o->left -
        (int32_t)hak_class[cls].size; /* an empty outbox has key 0, which a word of 0 matches, and nothing left */
    uintptr_t *at = o->at + 1;
    if (HAK_UNLIKELY(left <= 0) || HAK_UNLIKELY(((uintptr_t)at & (HAK_CHUNK_BYTES - 1)) == 0)) {
        return false;
    }
    at[-1] = (uintptr_t)p;
    o->at = at;
    o->left = left;
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
