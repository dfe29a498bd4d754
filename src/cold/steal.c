/* cold/steal.c : slabs of heaps whose thread has ended serve running threads, before these touch new memory.            L2
 * Owns       the hints; every change of a unit's owner          Reads  heap.idle of others          Never touches  blocks, magazines
 * Threads    the owner of the heap that needs a slab. Its own lock is held, the other heap's is only tried, for they are of one rank.
 * Invariant  a unit's owner changes only under both heaps' locks; when a thread has the old one (takeover.c), that is marked robbed
 * Why a free that compares a map word with its own heap's key needs no more than that: words become this key only by this thread. When it finds
 * its key, it pushes on its magazine; the slab may be another heap's by then, or become it while the block waits there. A pop does not care. A
 * settle does: it takes the lock that the change was made under, finds the mark, and sorts (slab_settle()). While no thread has the heap there
 * is no magazine. Whoever finds another heap's word without the lock has a hint only: slab_settle_mixed(), the claims of pages and the
 * statistics look again under the lock.
 * Decision   docs/decisions/015          Test  unit/steal, stress/inherit */
#include "cold/steal.h"
#include "base/bits.h"
#include "cold/heap.h"
#include "cold/remote.h"
#include "cold/slab.h"
#include "cold/slab_list.h"

enum { LOOKS = 16 };

static uint32_t hint[HAK_CLASSES]; /* atomic: id of the heap where the next search for the class starts */

/* A partial slab, the fullest first. Not a wholly free current one: decay gives that back as a whole. */
static uint32_t find(const struct heap *h, unsigned cls) {
    uint32_t u = slab_fullest(h, cls);
    if (u) {
        return u;
    }
    u = h->current[cls];
    return u && slab_avail(slab_at(u)) && slab_avail(slab_at(u)) < slab_at(u)->nobj ? u : 0;
}

/* Without the lock: worth a try. */
HAK_RACY static bool promising(const struct heap *v, unsigned cls) {
    return v->current[cls] != 0 || v->listed[cls] != 0;
}

static void count_bytes(struct heap *h, uint32_t u, size_t sign) {
    const struct slab *s = slab_at(u);
    size_t size = hak_class[s->cls].size;
    h->slab_bytes += sign * ((size_t)s->units << HAK_UNIT_SHIFT);
    slab_count(h, s->cls, (int)sign);
    h->free_bytes += sign * (slab_avail(s) * size);
    h->fresh_bytes += sign * ((size_t)(s->nobj - s->bump) * size);
    h->purged_bytes += sign * slab_purged(u);
}

/* Both locks held. */
static void hand_over(struct heap *h, struct heap *v, uint32_t u) {
    const struct slab *s = slab_at(u);
    slab_unlist(v, u);
    if (v->current[s->cls] == u) {
        v->current[s->cls] = 0;
    }
    count_bytes(v, u, (size_t)-1);
    for (unsigned i = 0; i < s->units; i++) {
        hak_store_rlx(&hak_arena.map[u + i], h->id << 8 | s->cls);
    }
    count_bytes(h, u, 1);
    slab_relist(h, u);
}

bool steal_from(struct heap *h, struct heap *v, unsigned cls, bool living) {
    uint32_t u = 0;
    if (!promising(v, cls)) {
        return false;
    }
    hak_lock_take(&h->lock);
    if (h->cache && hak_lock_try(&v->lock)) {
        if ((living || !v->cache) && (u = find(v, cls)) != 0) {
            v->robbed |= v->cache != 0;
            hand_over(h, v, u);
        }
        hak_lock_drop_tried(&v->lock);
    }
    hak_lock_drop(&h->lock);
    return u != 0;
}

/* Blocks that wait in its inbox may make a slab wholly free, which is better still, or partial. */
static bool try_heap(struct heap *h, struct heap *v, unsigned cls) {
    if (v == h || v->kind != HEAP_THREAD || !hak_load_rlx(&v->idle)) {
        return false;
    }
    if (remote_pending(v)) {
        remote_help(h, v);
    }
    return steal_from(h, v, cls, false);
}

bool steal_slab(struct heap *h, unsigned cls) {
    if (HAK_LIKELY(heap_idle_count() == 0) || h->kind != HEAP_THREAD) {
        return false;
    }
    uint32_t n = heap_count(), id = hak_load_rlx(&hint[cls]);
    for (uint32_t look = 0; look < hak_min(n, LOOKS); look++) {
        id = id && id <= n ? id : 1;
        if (try_heap(h, heap_by_id(id), cls)) {
            hak_store_rlx(&hint[cls], id);
            return true;
        }
        id++;
    }
    hak_store_rlx(&hint[cls], id);
    return false;
}

void steal_offer(struct heap *h) {
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        if (h->current[c]) {
            slab_close(h, c);
        }
    }
}
