/* queue.h : a thread's queue of frees in TLS, which a free appends to without looking at the block's owner; 256 at a time are sorted out. */
#ifndef HAK_VARIANTS_QUEUE_H
#define HAK_VARIANTS_QUEUE_H

#include "base/atomic.h"
#include "base/attr.h"
#include "base/tls.h"
#include "side.h"
#include <stdbool.h>

extern HAK_HIDDEN HAK_TLS struct queue hak_queue;
HAK_TLS_DEFINE(hak_queue);
#define hak_queue_here() HAK_TLS_POINTER(struct queue, hak_queue)

/* The queue is full, or not set up yet. hand: gives a full queue to the worker; false when the worker is not ready for it. */
HAK_HIDDEN void queue_slow(void *p, bool (*hand)(struct side *s, struct queue *q));

/* The count moves first: a signal handler that frees in between finds a zero slot, or its own overwritten: a leak at worst. */
HAK_INLINE void queue_push(void *p, bool (*hand)(struct side *s, struct queue *q)) {
    struct queue HAK_SEG *q = hak_queue_here();
    uint32_t n = q->n;
    if (HAK_UNLIKELY(n >= q->limit)) {
        queue_slow(p, hand);
        return;
    }
    q->n = n + 1;
    hak_signal_fence();
    q->slot[n] = p;
}

/* Sorts out what the calling thread holds back, from inside the core, where the thread is busy. Owner of h. */
HAK_HIDDEN void queue_flush(struct heap *h);
/* In fork's child: what the lost owner of s held back is settled. */
HAK_HIDDEN void queue_orphan(struct side *s);
/* The thread of s, which may be the calling one, has no heap any more. */
HAK_HIDDEN void queue_end(struct side *s);

#endif
