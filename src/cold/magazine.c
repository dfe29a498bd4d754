/* cold/magazine.c : magazines as stacks of chunks, with a byte budget a class that grows on misses.                    L2
 * Owns       thread_cache.top, chunk links, heap.{nchunks,max_chunks,batch_shift}
 * Reads      gates.magazine_bytes            Never touches  bitmaps (slab.c), other threads' magazines
 * Threads    the owner
 * Invariant  top is HAK_EMPTY, or in a chunk of which every slot above the bottom and below top is a free block of the class; the chunk below
 *            may be half full (CHUNK_ON_HALF), those below it are full
 * Gate       HAKMEM_MAGAZINE_BYTES          Decision  docs/decisions/001, 003            Test  unit/magazine */
#include "cold/magazine.h"
#include "base/bits.h"
#include "cold/heap.h"
#include "cold/meta.h"
#include "cold/remote.h"
#include "cold/slab.h"
#include "cold/visit.h"
#include "gates/gates.h"

#include <string.h>

enum {
    MAX_SHIFT = 3,
    FIRST_CHUNKS = 2,
    MOST_CHUNKS = 16384,
    KEEP_SHARE = 8,
    ALL_CLASSES = 16,
    FULL_BUDGETS = 4,
    BATCH_SHARE = 4
};
enum { GROWN_MIN = 8, GROWN_SHARE = 64, RAISE_MIN = 4 };

static void *pop(struct thread_cache *t, unsigned cls) {
    uintptr_t *top = t->top[cls] - 1;
    uintptr_t p = *top;
    hak_store_rlx(&t->top[cls], top);
    return (void *)p;
}

static bool is_empty(const struct thread_cache *t, unsigned cls) { return t->top[cls][-1] == 0; }

static size_t chunk_bytes(unsigned cls) { return (size_t)hak_class[cls].cap * hak_class[cls].size; }

/* Others read the count without a lock. */
static void count_chunks(struct heap *h, unsigned cls, int by) {
    h->magazine_total += (size_t)((ptrdiff_t)by * (ptrdiff_t)chunk_bytes(cls));
    hak_store_rlx(&h->nchunks[cls], (uint16_t)(h->nchunks[cls] + by));
}

/* The chunk is used up: continue in the one below, if there is one. */
static bool step_down(struct thread_cache *t, struct heap *h, unsigned cls) {
    struct chunk *k = chunk_of(t->top[cls]), *below = chunk_prev(k);
    if (!below) {
        return false;
    }
    hak_store_rlx(&t->top[cls], chunk_below_top(k, cls));
    below->slot[0] |= CHUNK_CAME_BACK;
    count_chunks(h, cls, -1);
    chunk_put(h, k);
    return true;
}

/* Starts a chunk above the present one, which is full. When that became the top by a step down, the program goes up and down here: it takes
 * the upper half along, and the next steps are as far away as can be. */
static bool step_up(struct thread_cache *t, struct heap *h, unsigned cls) {
    struct chunk *k = chunk_get(h), *below = t->top[cls] == HAK_EMPTY ? 0 : chunk_of(t->top[cls]);
    if (!k) {
        return false;
    }
    uintptr_t *top = chunk_start(k, cls);
    top[-1] = 0;
    chunk_set_prev(k, below);
    if (below && below->slot[0] & CHUNK_CAME_BACK) {
        unsigned along = hak_class[cls].cap - chunk_half(cls);
        memcpy(top, chunk_end(below) - along, along * sizeof *top);
        top += along;
        k->slot[0] |= CHUNK_ON_HALF;
    }
    hak_store_rlx(&t->top[cls], top);
    count_chunks(h, cls, 1);
    return true;
}

/* The chunk is full, the one below half full: that is filled from here, which leaves half a chunk as well. */
static void even_out(struct thread_cache *t, unsigned cls) {
    struct chunk *k = chunk_of(t->top[cls]);
    uintptr_t *start = chunk_start(k, cls);
    unsigned half = chunk_half(cls), rest = hak_class[cls].cap - half;
    memcpy(chunk_below_top(k, cls), start, rest * sizeof *start);
    memmove(start, start + rest, half * sizeof *start);
    k->slot[0] &= ~(uintptr_t)CHUNK_ON_HALF;
    hak_store_rlx(&t->top[cls], start + half);
}

static unsigned chunks_in(size_t bytes, unsigned cls) {
    return (unsigned)hak_min(hak_max(bytes / chunk_bytes(cls), FIRST_CHUNKS), MOST_CHUNKS);
}

static size_t class_bytes(const struct heap *h, unsigned cls) {
    return (size_t)hak_load_rlx(&h->nslabs[cls]) * hak_class[cls].units * HAK_UNIT;
}

/* What all of a heap's magazines may hold together: an eighth of its memory, and at least what 16 classes may, as long as the threads are few. Many
 * threads share what four may have: most of them sleep. */
HAK_RACY static size_t heap_budget(const struct heap *h) {
    size_t heaps = hak_max(heap_busy_count(), FULL_BUDGETS);
    return hak_max(h->slab_bytes / KEEP_SHARE, (size_t)hak_gates.magazine_bytes * ALL_CLASSES * FULL_BUDGETS / heaps);
}

/* Room for one more chunk. What others took is not counted as it happens. */
static bool has_room(struct heap *h, unsigned cls) {
    if (h->nchunks[cls] >= hak_max(h->max_chunks[cls], FIRST_CHUNKS)) {
        return false;
    }
    size_t most = heap_budget(h), more = chunk_bytes(cls);
    if (HAK_UNLIKELY(h->magazine_total + more > most)) {
        h->magazine_total = 0;
        for (unsigned c = 0; c < HAK_CLASSES; c++) {
            h->magazine_total += h->nchunks[c] * chunk_bytes(c);
        }
    }
    return h->magazine_total + more <= most;
}

/* A miss soon after blocks were settled: the budget was too small. */
static void grow_budget(struct heap *h, unsigned cls) {
    if (h->settled[cls]) {
        h->settled[cls] = 0;
        h->max_chunks[cls] =
            (uint16_t)hak_min(h->max_chunks[cls] * 2u, chunks_in((size_t)hak_gates.magazine_bytes, cls));
    } else if (h->batch_shift[cls] < MAX_SHIFT) {
        h->batch_shift[cls]++;
    }
}

/* Doubled by each miss, but no more than a fourth of the class: eight threads with thirty blocks of a class each need no hundred more in
 * each magazine. */
static unsigned batch_of(const struct heap *h, unsigned cls) {
    const struct size_class *k = &hak_class[cls];
    size_t want = hak_min((size_t)k->batch << h->batch_shift[cls], class_bytes(h, cls) / BATCH_SHARE / k->size);
    return (unsigned)hak_min(hak_max(want, k->batch), k->cap);
}

void *magazine_refill(struct thread_cache *t, struct heap *h, unsigned cls) {
    if (HAK_UNLIKELY(visit_noticed(h, cls))) {
        visit_end(t, h, cls);
    }
    /* What the hot path met was a fence, which is gone, or the table was closed (recall.c). */
    if (HAK_UNLIKELY(!is_empty(t, cls))) {
        return pop(t, cls);
    }
    if (t->top[cls] != HAK_EMPTY) {
        if (step_down(t, h, cls)) {
            return pop(t, cls);
        }
    } else if (!step_up(t, h, cls)) {
        return 0;
    }
    if (remote_pending(h)) {
        remote_drain(t, h);
        if (!is_empty(t, cls)) {
            return pop(t, cls);
        }
    }
    uintptr_t *start = t->top[cls];
    unsigned n = slab_take(h, cls, start, batch_of(h, cls));
    grow_budget(h, cls);
    h->used[cls] = 1;
    h->refills++;
    if (!n) {
        return 0;
    }
    hak_store_rlx(&t->top[cls], start + n);
    return pop(t, cls);
}

/* All of the magazine at top, or of what is left of it from there on down; returns the chunks. */
static unsigned settle_from(struct heap *h, uintptr_t *top, unsigned cls) {
    unsigned n = 0;
    for (; top; n++) {
        struct chunk *k = chunk_of(top), *below = chunk_prev(k);
        uintptr_t *start = chunk_start(k, cls);
        if (top > start) {
            slab_settle(h, cls, start, (unsigned)(top - start));
        }
        top = below ? chunk_below_top(k, cls) : 0;
        chunk_put(h, k);
    }
    return n;
}

/* Keeps the newest keep chunks, at least one; settles the others. */
static void settle_oldest(struct thread_cache *t, struct heap *h, unsigned cls, unsigned keep) {
    struct chunk *k = chunk_of(t->top[cls]);
    for (unsigned i = 1; i < keep && k; i++) {
        k = chunk_prev(k);
    }
    if (k && chunk_prev(k)) {
        uintptr_t *old = chunk_below_top(k, cls);
        chunk_set_prev(k, 0);
        count_chunks(h, cls, -(int)settle_from(h, old, cls));
        h->settles++;
    }
}

/* Settles all but the newest keep blocks, two at least. The class may be in the middle of a call that a signal handler interrupted: the top and the
 * two slots below it stay as they are, and the bottom is raised, as by a visitor. */
static void settle_down_to(struct thread_cache *t, struct heap *h, unsigned cls, size_t keep) {
    uintptr_t *top = t->top[cls];
    if (top == HAK_EMPTY || visit_noticed(h, cls)) {
        return;
    }
    settle_oldest(t, h, cls, 1);
    uintptr_t *start = chunk_start(chunk_of(top), cls), *bottom = top - keep - 1;
    if (bottom >= start + RAISE_MIN) {
        slab_settle(h, cls, start, (unsigned)(bottom + 1 - start));
        visit_raise(h, cls, bottom);
    }
}

/* The older half of a class's blocks. */
static void settle_older(struct thread_cache *t, struct heap *h, unsigned cls) {
    if (h->nchunks[cls] > 1) {
        settle_oldest(t, h, cls, h->nchunks[cls] / 2u);
    } else {
        uintptr_t *start = chunk_start(chunk_of(t->top[cls]), cls);
        unsigned n = (unsigned)(t->top[cls] - start), keep = n / 2;
        slab_settle(h, cls, start, n - keep);
        memmove(start, start + (n - keep), keep * sizeof *start);
        hak_store_rlx(&t->top[cls], start + keep);
    }
}

void magazine_overflow(struct thread_cache *t, struct heap *h, void *p, unsigned cls) {
    if (HAK_UNLIKELY(visit_noticed(h, cls))) {
        visit_end(t, h, cls);
        magazine_push(t, h, p, cls);
        return;
    }
    if (chunk_of(t->top[cls])->slot[0] & CHUNK_ON_HALF) { /* the empty chunk has no flags */
        even_out(t, cls);
        magazine_push(t, h, p, cls);
        return;
    }
    if (t->top[cls] != HAK_EMPTY && !has_room(h, cls)) {
        h->max_chunks[cls] = (uint16_t)hak_max(h->max_chunks[cls], FIRST_CHUNKS);
        settle_older(t, h, cls);
        h->settled[cls] = 1;
        h->batch_shift[cls] = 0;
        magazine_push(t, h, p, cls);
        return;
    }
    if (!step_up(t, h, cls)) { /* no memory for a chunk: the block goes straight home */
        uintptr_t v = (uintptr_t)p;
        slab_settle(h, cls, &v, 1);
        return;
    }
    *t->top[cls] = (uintptr_t)p;
    hak_store_rlx(&t->top[cls], t->top[cls] + 1);
}

void magazine_settle_class(struct thread_cache *t, struct heap *h, unsigned cls) {
    if (visit_noticed(h, cls)) {
        visit_end(t, h, cls);
    }
    uintptr_t *top = hak_xchg_acq(&t->top[cls], HAK_EMPTY); /* acq: at once, for a signal handler may pop or push now */
    if (top != HAK_EMPTY) {
        settle_from(h, top, cls);
        count_chunks(h, cls, -h->nchunks[cls]);
        h->settles++;
    }
}

void magazine_settle_all(struct thread_cache *t, struct heap *h) {
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        magazine_settle_class(t, h, c);
    }
}

void magazine_shrink(struct thread_cache *t, struct heap *h) {
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        if (!h->used[c]) {
            settle_down_to(t, h, c, hak_max(hak_class[c].batch, 2));
            h->max_chunks[c] = (uint16_t)hak_max(h->max_chunks[c] / 2u, FIRST_CHUNKS);
        }
        h->used[c] = 0;
    }
}

/* Without the lock. */
HAK_RACY static size_t heap_units(const struct heap *h) { return h->slab_bytes / HAK_UNIT; }

void magazine_grown(struct thread_cache *t, struct heap *h, unsigned cls) {
    h->grown_units += hak_class[cls].units;
    if (h->grown_units < GROWN_MIN || h->grown_units < heap_units(h) / GROWN_SHARE) {
        return;
    }
    h->grown_units = 0;
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        if (c != cls && !h->used[c]) {
            settle_down_to(t, h, c, hak_max(hak_class[c].batch, 2));
            if (h->current[c]) {
                slab_close(h, c);
            }
        }
        h->used[c] = 0;
    }
}

HAK_RACY size_t magazine_count(const struct thread_cache *t, const struct heap *h, unsigned cls) {
    uintptr_t *top = hak_load_rlx(&t->top[cls]);
    uintptr_t *start = chunk_start(chunk_of(top), cls);
    unsigned below = hak_load_rlx(&h->nchunks[cls]);
    if (top == HAK_EMPTY || top < start) {
        return 0;
    }
    start = hak_load_rlx(&h->visit[cls]) ? chunk_bottom(top, start) : start;
    unsigned cap = hak_class[cls].cap, absent = cap - chunk_below(chunk_of(top), cls);
    return (size_t)(top - start) + (below > 1 ? (below - 1u) * cap - absent : 0u);
}
