/* diag/verify_heap.c : a heap's lists, its thread's magazines, its chunks on their way.                                L3
 * Owns       the walk's seen bits          Threads  one, the others stopped
 * A block that waits is in no bitmap and no bump range, and waits in one place only.
 * Test       unit/verify */
#include "base/atomic.h"
#include "cold/remote.h"
#include "cold/slab.h"
#include "cold/slab_list.h"
#include "diag/verify_walk.h"
#include "layout/magazine.h"

enum { CHUNKS_MAX = 1 << 20 };

/* p waits somewhere of heap id (where: for the report). Its class, or HAK_CLASSES when it is no block. */
static unsigned check_waiting(struct verify *v, const void *p, uint32_t id, const char *where) {
    uint32_t word = verify_word(p);
    unsigned cls = word & 0xff;
    if (word == 0 || cls >= HAK_CLASSES) {
        verify_fail(v, "heap %u: %p in %s is in no slab", id, p, where);
        return HAK_CLASSES;
    }
    uint32_t u = slab_head(unit_of(p));
    size_t off = (uintptr_t)p - (uintptr_t)unit_address(u), k = off / hak_class[cls].size;
    if (!slab_block_start(u, p)) {
        verify_fail(v, "heap %u: %p in %s is no block's start", id, p, where);
        return HAK_CLASSES;
    }
    uint64_t *seen = v->seen + (size_t)u * SLAB_WORDS + (k >> 6), bit = UINT64_C(1) << (k & 63);
    VERIFY(v, !slab_block_free(u, p), "heap %u: %p in %s is free in its slab too", id, p, where);
    VERIFY(v, !(*seen & bit), "heap %u: %p in %s waits elsewhere too", id, p, where);
    *seen |= bit;
    return cls;
}

static void check_list(struct verify *v, const struct heap *h, unsigned cls, unsigned b, uint32_t *listed) {
    uint32_t prev = 0;
    for (uint32_t u = *slab_first((struct heap *)h, cls, b), n = 0; u; prev = u, u = slab_at(u)->next) {
        if (u >= v->limit || n++ > v->limit) {
            verify_fail(v, "heap %u: list %u of class %u leads to %u", h->id, b, cls, u);
            return;
        }
        const struct slab *s = slab_at(u);
        VERIFY(v, hak_arena.map[u] == (h->id << 8 | cls) && s->head_off == 0, "heap %u: slab %u of word %x in class %u",
               h->id, u, hak_arena.map[u], cls);
        VERIFY(v, s->bucket == b, "heap %u: slab %u of bucket %u in list %u", h->id, u, s->bucket, b);
        VERIFY(v, s->prev == prev, "heap %u: slab %u: prev is %u, not %u", h->id, u, s->prev, prev);
        ++*listed;
    }
}

static void check_lists(struct verify *v, const struct heap *h) {
    uint32_t listed = 0;
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        uint32_t u = h->current[c];
        if (u && u >= v->limit) {
            verify_fail(v, "heap %u: current slab of class %u is %u", h->id, c, u);
        } else if (u) {
            VERIFY(v, hak_arena.map[u] == (h->id << 8 | c), "heap %u: current slab %u of class %u has word %x", h->id,
                   u, c, hak_arena.map[u]);
        }
        for (unsigned b = 0; b < SLAB_BUCKETS; b++) {
            check_list(v, h, c, b, &listed);
            uint32_t first = *slab_first((struct heap *)h, c, b);
            VERIFY(v, (h->listed[c] >> b & 1) == (first != 0), "heap %u: class %u: listed is %x, list %u starts at %u",
                   h->id, c, h->listed[c], b, first);
        }
    }
    VERIFY(v, listed == v->sum[h->id].listed, "heap %u: %u slabs in its lists, %u are marked so", h->id, listed,
           v->sum[h->id].listed);
}

/* The slots of one chunk from its bottom up to end. */
static void check_chunk(struct verify *v, const struct heap *h, unsigned cls, uintptr_t *end) {
    uintptr_t *start = chunk_start(chunk_of(end), cls);
    VERIFY(v, end >= start && start[-1] == 0, "heap %u: class %u: a chunk without its bottom", h->id, cls);
    if (h->visit[cls] && h->cache->top[cls] != HAK_EMPTY && chunk_of(end) == chunk_of(h->cache->top[cls])) {
        start = chunk_bottom(end, start);
    }
    for (uintptr_t *slot = start; slot < end; slot++) {
        unsigned c = check_waiting(v, (void *)*slot, h->id, "a magazine");
        VERIFY(v, c == cls && (h->robbed || verify_word((void *)*slot) >> 8 == h->id),
               "heap %u: %p in the magazine of class %u has word %x", h->id, (void *)*slot, cls,
               verify_word((void *)*slot));
    }
}

static void check_magazine(struct verify *v, const struct heap *h, unsigned cls) {
    uintptr_t *top = h->cache->top[cls];
    unsigned chunks = 0;
    if (top != HAK_EMPTY) {
        uintptr_t *end = top;
        for (struct chunk *k = chunk_of(top); k && chunks < CHUNKS_MAX; k = chunk_prev(k), chunks++) {
            check_chunk(v, h, cls, end);
            end = chunk_prev(k) ? chunk_below_top(k, cls) : 0;
            VERIFY(v, chunks == 0 || chunk_below(k, cls) == hak_class[cls].cap,
                   "heap %u: class %u: a half chunk far down", h->id, cls);
        }
    }
    VERIFY(v, chunks == h->nchunks[cls], "heap %u: class %u: %u chunks, counted %u", h->id, cls, chunks,
           h->nchunks[cls]);
}

static size_t check_slots(struct verify *v, const struct heap *h, const struct chunk *k, uint32_t n,
                          const char *where) {
    size_t bytes = 0;
    unsigned first = remote_first(), most = HAK_CHUNK_SLOTS - first;
    VERIFY(v, n <= most, "heap %u: %u blocks in a chunk of %s", h->id, n, where);
    for (uint32_t i = 0; i < n && i < most; i++) {
        unsigned cls = check_waiting(v, (const void *)k->slot[first + i], h->id, where);
        bytes += cls < HAK_CLASSES ? hak_class[cls].size : 0;
    }
    return bytes;
}

static void check_transit(struct verify *v, struct heap *h) {
    uint32_t chunks = 0;
    for (struct chunk *k = hak_load_acq(&h->inbox); k && chunks < CHUNKS_MAX;
         k = chunk_prev(k), chunks++) { /* acq: pairs with a push */
        size_t bytes = check_slots(v, h, k, (uint32_t)(k->slot[1] >> 32), "an inbox");
        VERIFY(v, bytes == (k->slot[1] & 0xffffffff), "heap %u: %zu bytes in an inbox chunk, it says %zu", h->id, bytes,
               (size_t)(k->slot[1] & 0xffffffff));
    }
    for (int i = 0; i < HAK_OUTBOXES; i++) {
        const struct outbox *o = &h->out[i];
        size_t bytes = o->at ? check_slots(v, h, chunk_of(o->at), outbox_count(o->at), "an outbox") : 0;
        uint32_t owner = o->key >> 8;
        VERIFY(v, bytes == outbox_bytes(o), "heap %u: %zu bytes in an outbox, it says %zu", h->id, bytes,
               outbox_bytes(o));
        VERIFY(v, !o->at || (owner != h->id && owner <= v->heaps), "heap %u: an outbox for heap %u", h->id, owner);
    }
}

static void check_spares(struct verify *v, const struct heap *h) {
    uint32_t n = 0;
    for (const struct chunk *k = h->spare; k && n <= h->nspare; k = chunk_prev(k)) {
        n++;
    }
    VERIFY(v, n == h->nspare, "heap %u: %u spare chunks, counted %u", h->id, n, h->nspare);
}

void verify_heap(struct verify *v, struct heap *h) {
    check_lists(v, h);
    check_transit(v, h);
    check_spares(v, h);
    VERIFY(v, h->ndeferred <= HEAP_DEFERRED, "heap %u: %u deferred frees", h->id, h->ndeferred);
    if (!h->cache) {
        return;
    }
    VERIFY(v, !h->idle && h->cache->heap == h && h->cache->key == h->id << 8, "heap %u: its thread's cache has key %x",
           h->id, h->cache->key);
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        check_magazine(v, h, c);
    }
}
