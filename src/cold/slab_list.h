/* cold/slab_list.h : a heap's lists of partial slabs, four a class by fullness.                                        L2
 * All of it under the heap's lock. */
#ifndef HAK_COLD_SLAB_LIST_H
#define HAK_COLD_SLAB_LIST_H

#include "base/attr.h"
#include "cold/purge.h"
#include "layout/arena.h"
#include "layout/heap.h"

HAK_INLINE struct slab *slab_at(uint32_t u) { return &hak_arena.slabs[u]; }

/* avail from which bucket b starts: fewer than that belong to the bucket before. */
HAK_INLINE unsigned bucket_floor(const struct slab *s, unsigned b) {
    return b == 0 ? hak_class[s->cls].least : s->nobj * b / SLAB_BUCKETS;
}

HAK_INLINE void slab_unlist(struct heap *h, uint32_t u) {
    struct slab *s = slab_at(u);
    if (s->bucket == SLAB_UNLISTED) {
        return;
    }
    if (s->prev) {
        slab_at(s->prev)->next = s->next;
    } else {
        h->partial[s->cls][s->bucket] = s->next;
    }
    if (s->next) {
        slab_at(s->next)->prev = s->prev;
    }
    s->bucket = SLAB_UNLISTED;
}

HAK_INLINE void slab_list(struct heap *h, uint32_t u, uint8_t b) {
    struct slab *s = slab_at(u);
    s->bucket = b;
    s->prev = 0;
    s->next = h->partial[s->cls][b];
    if (s->next) {
        slab_at(s->next)->prev = u;
    }
    h->partial[s->cls][b] = u;
}

/* Odd: never 0. */
HAK_INLINE void slab_touch(struct slab *s) { s->epoch = purge_epoch() | 1; }

/* Nothing of the slab is left to give back: decay passes it over until the next block comes home, which reaches this mark. But a wholly
 * free one goes as a whole. */
HAK_INLINE void slab_looked(struct slab *s) {
    if (s->avail < s->nobj) {
        s->epoch = 0;
        s->mark = (uint16_t)(s->avail + 1);
    }
}

/* Puts the slab where its avail says, and sets the mark at which settle must ask again. */
HAK_INLINE void slab_relist(struct heap *h, uint32_t u) {
    struct slab *s = slab_at(u);
    uint8_t want = SLAB_UNLISTED;
    slab_touch(s);
    s->mark = (uint16_t)bucket_floor(s, 0);
    for (uint8_t b = 0; b < SLAB_BUCKETS && s->avail >= bucket_floor(s, b); b++) {
        want = b;
        s->mark = (uint16_t)(b + 1 < SLAB_BUCKETS ? bucket_floor(s, b + 1u) : s->nobj);
    }
    if (h->current[s->cls] == u) {
        want = SLAB_UNLISTED;
        s->mark = s->nobj;
    }
    if (want != s->bucket) {
        slab_unlist(h, u);
        if (want != SLAB_UNLISTED) {
            slab_list(h, u, want);
        }
    }
}

/* A first-class heap knows all its slabs, so that its end need not look for them in the whole arena. */
HAK_INLINE void slab_own(struct heap *h, uint32_t u) {
    if (HAK_UNLIKELY(h->kind == HEAP_FIRST_CLASS)) {
        struct slab *s = slab_at(u);
        s->own_prev = 0;
        s->own_next = h->own;
        if (h->own) {
            slab_at(h->own)->own_prev = u;
        }
        h->own = u;
    }
}

HAK_INLINE void slab_disown(struct heap *h, uint32_t u) {
    if (HAK_UNLIKELY(h->kind == HEAP_FIRST_CLASS)) {
        const struct slab *s = slab_at(u);
        *(s->own_prev ? &slab_at(s->own_prev)->own_next : &h->own) = s->own_next;
        if (s->own_next) {
            slab_at(s->own_next)->own_prev = s->own_prev;
        }
    }
}

#endif
