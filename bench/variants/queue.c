/* queue.c : the queue's slow side: set up, sorted out, flushed.
 * Owns       hak_queue          Threads  the owner; fork's child for threads that are gone
 * Own blocks go to magazines, other threads' to the outboxes, what is no slab's block through the core's door. The switch is folded into
 * limit: no free reads it.
 * Invariant  a slot is zero before its block is freed: whoever looks at a queue that is being sorted out frees nothing twice
 * Decision   docs/decisions/030          Test  variants/ */
#include "queue.h"
#include "cold/magazine.h"
#include "cold/remote.h"
#include "front.h"
#include "hot/cold_entry.h"
#include "layout/lookup.h"

HAK_TLS struct queue hak_queue;

static void *take_out(struct queue *q, uint32_t i) {
    void *p = q->slot[i];
    q->slot[i] = 0;
    hak_signal_fence();
    return p;
}

/* The batch: what does not change from block to block is read once. */
static void sort_out(struct queue *q, struct thread_cache *t) {
    uintptr_t base = hak_arena.base;
    size_t limit = hak_load_rlx(&hak_arena.limit);
    const uint32_t *map = hak_load_rlx(&hak_arena.map);
    uint32_t n = q->n, key = t->key;
    for (uint32_t i = 0; i < n; i++) {
        void *p = take_out(q, i);
        size_t u = ((uintptr_t)p - base) >> HAK_UNIT_SHIFT;
        size_t cls = u < limit ? hak_load_rlx(&map[u]) ^ key : HAK_CLASSES;
        uintptr_t *top = cls < HAK_CLASSES ? t->top[cls] : HAK_EMPTY;
        if (HAK_LIKELY(((uintptr_t)top & (HAK_CHUNK_BYTES - 1)) != 0)) {
            hak_store_rlx(&t->top[cls], top + 1);
            hak_signal_fence();
            *top = (uintptr_t)p;
        } else if (cls < HAK_CLASSES) {
            hak_free_full(p, cls);
        } else {
            hak_free_cold(p);
        }
    }
    q->n = 0;
}

/* The thread's first free, or its first after it got a heap. */
static void set_up(struct queue *q, struct thread_cache *t) {
    struct side *s = side_make(t->heap);
    if (s) {
        s->queue = q;
        q->limit = QUEUE_BLOCKS;
    }
}

void queue_slow(void *p, bool (*hand)(struct side *s, struct queue *q)) {
    struct thread_cache *t = &hak_tls;
    struct queue *q = &hak_queue;
    if (q->limit == 0 || t->busy) {
        hakt_free(p);
        if (q->limit == 0 && q->n == 0 && !t->busy && t->heap) {
            set_up(q, t);
        }
        return;
    }
    q->limit = 0; /* until the end signal handlers free by themselves */
    hak_signal_fence();
    if (!hand || !hand(side_of(t->heap), q)) {
        sort_out(q, t);
    }
    hak_signal_fence();
    q->limit = QUEUE_BLOCKS;
    hakt_free(p);
}

/* t: the owner's cache, NULL when the owner is gone. False: p is no slab's block. */
static bool free_inside(struct thread_cache *t, struct heap *h, void *p) {
    uint32_t word = hak_word_hot(p);
    if (word == 0 || hak_word_class(word) >= HAK_CLASSES) {
        return false;
    }
    if (t && hak_word_heap(word) == h->id) {
        magazine_push(t, h, p, hak_word_class(word));
    } else {
        remote_settle_one(p, word);
    }
    return true;
}

/* The door is made to see the caller as not busy: at the places from which this is called nothing is in progress, and large blocks and
 * other mappings have no other way home. */
static void settle(struct queue *q, struct thread_cache *t, struct heap *h) {
    for (uint32_t i = 0; i < q->n && i < QUEUE_BLOCKS; i++) {
        void *p = take_out(q, i);
        if (p && !free_inside(t, h, p)) {
            uint8_t busy = hak_tls.busy;
            hak_tls.busy = 0;
            hak_free_cold(p);
            hak_tls.busy = busy;
        }
    }
    q->n = 0;
}

void queue_flush(struct heap *h) {
    struct queue *q = &hak_queue;
    uint32_t limit = q->limit;
    if (limit) { /* otherwise it is being sorted out */
        q->limit = 0;
        hak_signal_fence();
        settle(q, &hak_tls, h);
        hak_signal_fence();
        q->limit = limit;
    }
}

void queue_orphan(struct side *s) {
    struct queue *q = s->queue;
    s->queue = 0;
    if (q) {
        settle(q, 0, s->heap);
    }
}

void queue_end(struct side *s) {
    if (s->queue == &hak_queue) {
        hak_queue.limit = 0;
    }
    s->queue = 0;
}
