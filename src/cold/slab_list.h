/* cold/slab_list.h : a heap's lists of partial slabs, SLAB_BUCKETS a class: seven by fullness, and those whose free pages are gone.   L2
 * All of it under the heap's lock. */
#ifndef HAK_COLD_SLAB_LIST_H
#define HAK_COLD_SLAB_LIST_H

#include "base/attr.h"
#include "base/bits.h"
#include "cold/purge.h"
#include "layout/arena.h"
#include "layout/heap.h"

HAK_INLINE struct slab *slab_at(uint32_t u) { return &hak_arena.slabs[u]; }

/* avail from which bucket b starts: fewer than that belong to the bucket before. The emptier, the finer: 1/4, 1/2, 3/4, 7/8, 15/16 and 31/32
 * free. Blocks go to the fullest slabs, so that among nearly empty ones those that are emptier get the chance to become wholly free. */
HAK_INLINE unsigned bucket_floor(const struct slab *s, unsigned b) {
    return b == 0 ? hak_class[s->cls].least : b == 1 ? s->nobj / 4u : s->nobj - ((unsigned)s->nobj >> (b - 1));
}

/* The bucket for avail blocks, not less than its floor of bucket 0; the same as a search for the last floor that avail reaches. */
HAK_INLINE unsigned bucket_of(const struct slab *s) {
    unsigned live = (unsigned)s->nobj - slab_avail(s);
    if (slab_avail(s) < s->nobj / 4u) {
        return 0;
    }
    if (live == 0) {
        return SLAB_LEAN - 1;
    }
    unsigned halvings = hak_clz32(live) - hak_clz32(s->nobj);
    halvings -= live << halvings > s->nobj;
    return halvings < SLAB_LEAN - 2 ? halvings + 1 : SLAB_LEAN - 1;
}

/* Bytes of the slab's pages that were given back and not handed out since. */
HAK_INLINE size_t slab_purged(uint32_t u) {
    size_t pages = 0;
    for (unsigned i = 0; i < slab_at(u)->units; i++) {
        pages += hak_popcount32(*purged_at(u + i));
    }
    return pages * SLAB_PAGE;
}

/* Blocks of avail that lie on pages which were given back: about, for those across the edges of such pages may be one more or less a run. */
HAK_INLINE unsigned slab_absent(uint32_t u) {
    const struct slab *s = slab_at(u);
    size_t gone = slab_purged(u);
    return HAK_LIKELY(gone == 0) ? 0 : (unsigned)hak_min(gone / hak_class[s->cls].size, slab_avail(s));
}

/* The list for a slab that is not its heap's current one, and the avail at which that must be asked again. Slabs whose free blocks would cost a
 * page fault each page come last. */
HAK_INLINE unsigned slab_place(uint32_t u, unsigned *mark) {
    const struct slab *s = slab_at(u);
    unsigned least = bucket_floor(s, 0), absent = slab_absent(u), b;
    *mark = least;
    if (slab_avail(s) < least) {
        return SLAB_UNLISTED;
    }
    if (HAK_UNLIKELY(slab_avail(s) - absent < least)) {
        *mark = (unsigned)hak_min(absent + least, s->nobj);
        return SLAB_LEAN;
    }
    b = bucket_of(s);
    *mark = b + 1 < SLAB_LEAN ? bucket_floor(s, b + 1) : s->nobj;
    return b;
}

HAK_INLINE void slab_count(struct heap *h, unsigned cls, int by) {
    hak_store_rlx(&h->nslabs[cls], h->nslabs[cls] + (uint32_t)by);
}

/* Where the list of bucket b starts. */
HAK_INLINE uint32_t *slab_first(struct heap *h, unsigned cls, unsigned b) {
    return HAK_LIKELY(b < SLAB_LEAN) ? &h->partial[cls][b] : &h->lean[cls];
}

HAK_INLINE void slab_unlist(struct heap *h, uint32_t u) {
    struct slab *s = slab_at(u);
    if (s->bucket == SLAB_UNLISTED) {
        return;
    }
    if (s->prev) {
        slab_at(s->prev)->next = s->next;
    } else {
        *slab_first(h, s->cls, s->bucket) = s->next;
        h->listed[s->cls] = (uint8_t)(h->listed[s->cls] ^ (unsigned)(s->next == 0) << s->bucket);
    }
    if (s->next) {
        slab_at(s->next)->prev = s->prev;
    }
    s->bucket = SLAB_UNLISTED;
}

HAK_INLINE void slab_list(struct heap *h, uint32_t u, uint8_t b) {
    struct slab *s = slab_at(u);
    uint32_t *first = slab_first(h, s->cls, b);
    s->bucket = b;
    s->prev = 0;
    s->next = *first;
    if (s->next) {
        slab_at(s->next)->prev = u;
    }
    *first = u;
    h->listed[s->cls] = (uint8_t)(h->listed[s->cls] | 1u << b);
}

/* The fullest slab of the class's lists, 0 for none. */
HAK_INLINE uint32_t slab_fullest(const struct heap *h, unsigned cls) {
    unsigned any = h->listed[cls];
    return any ? *slab_first((struct heap *)h, cls, hak_ctz32(any)) : 0;
}

/* Odd: never 0. */
HAK_INLINE void slab_touch(struct slab *s) { s->epoch = purge_epoch() | 1; }

/* Nothing of the slab is left to give back: decay passes it over until the next block comes home, which reaches this mark. But a wholly
 * free one goes as a whole. */
HAK_INLINE void slab_looked(struct slab *s) {
    if (slab_avail(s) < s->nobj) {
        s->epoch = 0;
        slab_set_mark(s, slab_avail(s) + 1);
    }
}

/* Puts the slab where its avail says, and sets the mark at which settle must ask again. */
HAK_INLINE void slab_relist(struct heap *h, uint32_t u) {
    struct slab *s = slab_at(u);
    unsigned want = SLAB_UNLISTED, mark = s->nobj;
    slab_touch(s);
    if (HAK_LIKELY(h->current[s->cls] != u)) {
        want = slab_place(u, &mark);
    }
    slab_set_mark(s, mark);
    if (want != s->bucket) {
        slab_unlist(h, u);
        if (want != SLAB_UNLISTED) {
            slab_list(h, u, (uint8_t)want);
        }
    }
}

/* Slabs that became wholly free under the lock wait here until it is dropped: as many as a chunk has blocks. */
struct slab_released {
    uint32_t unit[HAK_CHUNK_SLOTS];
    uint8_t units[HAK_CHUNK_SLOTS];
    unsigned n;
};
/* avail has reached the slab's mark. Heap lock held. */
HAK_HIDDEN void slab_marked(struct heap *h, uint32_t u, struct slab_released *r);
/* Their spans go back. No lock held. */
HAK_HIDDEN void slab_free_released(const struct slab_released *r);

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
