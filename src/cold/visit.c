/* cold/visit.c : the magazines of a thread that sleeps are emptied by another, but for a block each.                         L2
 * Owns       the fences, heap.{visit,visited}          Threads  a visitor, one at a time; the owner on its slow path; fork's child
 * How        The owner's hot path moves the top inside the current chunk, a load or a store of one slot at a time, and never passes a 0. So a
 *            0 put into a live slot, the *fence*, is a bottom: all below it is the visitor's, once it is known that the owner had not read the
 *            slot before. Barriers on all processors that run this process (membarrier(2)) tell, at no cost to the owner:
 *            1 heap.visit says so to the slow path; barrier. busy == 0: the owner is not on it, and will meet visit_end() when it comes; barrier,
 *              for what it did there
 *            2 the second block from the top is exchanged for 0; barrier
 *            3 the top is read; barrier; the slot is read. Top above the fence and the slot still 0: had the owner popped the block, it would have
 *              had to push into that slot to get above again, and a pop clears nothing. Else the block is put back, if the slot is still 0: when
 *              the owner had it, the slot lies above the top or is about to be written
 *            4 the blocks below the fence, and the chunks below, are settled. The owner's slow path moves what is above down to the bottom.
 *            It does not matter whether the owner sleeps, runs, or was interrupted by a signal handler in the middle of a pop or a push.
 * Invariant  heap.visited: the fences are this heap's. They and heap.visit change under its lock. No lock is held in a barrier
 * Where the kernel has no such barrier, and under ThreadSanitizer, which does not know it, nobody is visited.
 * Source     membarrier(2); asymmetric Dekker synchronisation
 * Gate       HAKMEM_TAKEOVER=all          Decision  docs/decisions/016          Test  unit/takeover, stress/sleepers, stress/owner_asleep */
#include "cold/visit.h"
#include "base/bits.h"
#include "cold/meta.h"
#include "cold/remote.h"
#include "layout/magazine.h"
#include "os/os.h"

#include <string.h>

enum { NOBODY, PRESENT, TAKEN /* the chunk's bottom is raised */ };

static struct fence {
    uintptr_t *slot;      /* NULL: none in this class */
    uintptr_t block;      /* that was in it */
    uintptr_t *top;       /* the owner's, after the second barrier */
} fences[HAK_CLASSES];    /* lock: of the heap that is visited */
static uint32_t visiting; /* atomic: 1 while somebody is on a visit */
static uint32_t unable;   /* atomic: 1 when the kernel gave no barrier */

/* rel: pairs with visit_noticed(), after which the owner looks for a fence */
static void set_visit(struct heap *v, unsigned c, uint8_t what) { hak_store_rel(&v->visit[c], what); }

/* The block goes back where it was, unless the owner has been there. */
static void remove_fence(struct fence *f) {
    uintptr_t none = 0;
    if (f->slot) {
        hak_cas_ar(f->slot, &none, f->block); /* ar: nothing else is published by it */
        f->slot = 0;
    }
}

/* Heap lock held. */
static void call_off(struct heap *v) {
    for (unsigned c = 0; v->visited && c < HAK_CLASSES; c++) {
        if (v->visit[c] == PRESENT) {
            remove_fence(&fences[c]);
            set_visit(v, c, NOBODY);
        }
    }
    v->visited = false;
}

/* Heap lock held. */
static void announce(struct heap *v) {
    v->visited = v->cache != 0;
    for (unsigned c = 0; v->visited && c < HAK_CLASSES; c++) {
        fences[c].slot = 0;
        if (v->visit[c] == NOBODY) {
            set_visit(v, c, PRESENT);
        }
    }
}

/* Heap lock held. From here on the owner's chunks stay where they are: its slow path asks first. */
HAK_RACY static void look_busy(struct heap *v) {
    if (v->cache->busy) {
        call_off(v);
    }
}

/* Heap lock held. */
HAK_RACY static void put_fences(struct heap *v) {
    const struct thread_cache *t = v->cache;
    for (unsigned c = 0; v->visited && c < HAK_CLASSES; c++) {
        uintptr_t *top = hak_load_rlx(&t->top[c]);
        if (v->visit[c] == PRESENT && top != HAK_EMPTY && top - chunk_start(chunk_of(top), c) >= 2) {
            fences[c].block = hak_xchg_acq(top - 2, 0); /* acq: ordered by the barriers alone */
            fences[c].slot = top - 2;
        }
    }
}

HAK_RACY static void note_tops(struct heap *v) {
    for (unsigned c = 0; v->visited && c < HAK_CLASSES; c++) {
        fences[c].top = hak_load_rlx(&v->cache->top[c]);
    }
}

/* One step of a visit, and the barrier after it. False: the owner has come, or there is no barrier. */
static bool step(struct heap *v, void (*what)(struct heap *)) {
    hak_lock_take(&v->lock);
    if (v->visited || what == announce) {
        what(v);
    }
    bool on = v->visited;
    hak_lock_drop(&v->lock);
    if (on && os_barrier()) {
        hak_store_rlx(&unable, 1);
        return false;
    }
    return on;
}

/* Heap lock held. Blocks below the fence of the current chunk to out. The fence stays. */
HAK_RACY static unsigned take_chunk(struct heap *v, unsigned c, uintptr_t *out) {
    struct fence *f = &fences[c];
    unsigned n = 0;
    if (f->slot && f->block && f->top > f->slot + 1 && hak_load_rlx(f->slot) == 0) {
        uintptr_t *start = chunk_start(chunk_of(f->slot + 1), c);
        n = (unsigned)(f->slot - start);
        memcpy(out, start, n * sizeof *out);
        out[n++] = f->block;
        f->slot = 0;
        set_visit(v, c, TAKEN);
    }
    return n;
}

/* Heap lock held. The chunks below the current one; *n blocks in the first. */
HAK_RACY static struct chunk *take_below(struct heap *v, unsigned c, unsigned *n) {
    uintptr_t *top = hak_load_rlx(&v->cache->top[c]);
    if (top == HAK_EMPTY) {
        return 0;
    }
    struct chunk *below = chunk_prev(chunk_of(top));
    *n = chunk_below(chunk_of(top), c);
    chunk_set_prev(chunk_of(top), 0);
    hak_store_rlx(&v->nchunks[c], 1);
    return below;
}

static void take_class(struct heap *helper, struct heap *v, unsigned c) {
    uintptr_t block[HAK_CHUNK_SLOTS];
    unsigned n = 0, full = 0;
    struct chunk *below = 0;
    hak_lock_take(&v->lock);
    if (v->visited && v->visit[c] == PRESENT) {
        n = take_chunk(v, c, block);
        below = take_below(v, c, &full);
        if (v->visit[c] == PRESENT) {
            remove_fence(&fences[c]);
            set_visit(v, c, NOBODY);
        }
    }
    hak_lock_drop(&v->lock);
    /* By owner: v's thread may end now, with it the mark that it was robbed, and the blocks' slab may go to another heap (steal.c). */
    remote_settle(v, block, n);
    for (struct chunk *next; below; below = next) {
        next = chunk_prev(below);
        remote_settle(v, chunk_start(below, c), full);
        full = hak_class[c].cap;
        chunk_put(helper, below);
    }
}

void visit_heap(struct heap *helper, struct heap *v) {
    uint32_t none = 0;
    if (hak_load_rlx(&unable) || !hak_cas_ar(&visiting, &none, 1)) { /* ar: one visitor; pairs with the store below */
        return;
    }
    if (step(v, announce) && step(v, look_busy) && step(v, put_fences) && step(v, note_tops)) {
        for (unsigned c = 0; c < HAK_CLASSES; c++) {
            take_class(helper, v, c);
        }
    }
    hak_lock_take(&v->lock);
    call_off(v);
    hak_lock_drop(&v->lock);
    hak_store_rel(&visiting, 0); /* rel: pairs with the exchange above */
}

/* What is above the raised bottom moves down. */
static void lower(struct thread_cache *t, unsigned cls) {
    uintptr_t *top = t->top[cls], *start = chunk_start(chunk_of(top), cls), *bottom = chunk_bottom(top, start);
    size_t n = (size_t)(top - bottom);
    memmove(start, bottom, n * sizeof *start);
    hak_store_rlx(&t->top[cls], start + n);
}

void visit_end(struct thread_cache *t, struct heap *h, unsigned cls) {
    hak_lock_take(&h->lock);
    call_off(h);
    hak_lock_drop(&h->lock);
    if (h->visit[cls] == TAKEN) {
        lower(t, cls);
        set_visit(h, cls, NOBODY);
    }
}

void visit_raise(struct heap *h, unsigned cls, uintptr_t *slot) {
    hak_lock_take(&h->lock);
    *slot = 0;
    set_visit(h, cls, TAKEN);
    hak_lock_drop(&h->lock);
}

void visit_forget(struct heap *h) {
    h->visited = false;
    memset(h->visit, NOBODY, sizeof h->visit);
}

void visit_child(struct heap *h) {
    if (h) {
        call_off(h);
    }
    hak_store_rlx(&visiting, 0);
}
