/* cold/takeover.c : what a living thread that sleeps holds serves others, before these touch new memory.                L2
 * Owns       heap.{seen,naps,called,passed}, the roll call          Reads  heap.events of others          Never touches  blocks, magazines
 * Threads    the owner of the heap that would have to grow; the locks are taken by those who do the work (remote.c, visit.c, slab_claim.c, steal.c)
 * Asleep     a heap that had no slow-path call between two roll calls, which others' needs for slabs drive: a wrong guess costs that heap a
 *            refill, never more, for all that is taken here may be taken from a running thread just as well
 * Invariant  steal.c's: a unit's owner changes under both locks, and the old one is marked robbed
 * Gate       HAKMEM_TAKEOVER          Decision  docs/decisions/016          Test  unit/takeover, stress/sleepers, stress/owner_asleep */
#include "cold/takeover.h"
#include "base/bits.h"
#include "cold/heap.h"
#include "cold/remote.h"
#include "cold/slab.h"
#include "cold/slab_list.h"
#include "cold/span.h"
#include "cold/steal.h"
#include "cold/visit.h"
#include "gates/gates.h"

enum { OFF, SLABS, ALL };
enum { ROLL_NEEDS = 32, ROLL_HEAPS = 64, LOOKS = 16 };

static uint32_t needs;             /* atomic: for slabs, of all heaps: the clock */
static uint32_t roll_at;           /* atomic: id of the heap where the next roll call starts */
static uint32_t hint[HAK_CLASSES]; /* atomic: id of the heap where the next search for the class starts */

static void roll_call(uint32_t n) {
    uint32_t id = hak_load_rlx(&roll_at);
    for (uint32_t i = 0; i < hak_min(n, ROLL_HEAPS); i++) {
        id = id && id < n ? id + 1 : 1;
        struct heap *v = heap_by_id(id);
        uint32_t events = hak_load_rlx(&v->events);
        hak_store_rlx(&v->naps, events == hak_load_rlx(&v->seen) ? hak_load_rlx(&v->naps) + 1 : 0);
        hak_store_rlx(&v->seen, events);
    }
    hak_store_rlx(&roll_at, id);
}

static bool asleep(const struct heap *v) {
    return v->kind == HEAP_THREAD && hak_load_rlx(&v->naps) && hak_load_rlx(&v->events) == hak_load_rlx(&v->seen) &&
           !hak_load_rlx(&v->idle);
}

/* Without the lock: worth a try. */
HAK_RACY static bool whole_current(const struct heap *v, unsigned cls) {
    uint32_t u = v->current[cls];
    return u && slab_avail(slab_at(u)) == slab_at(u)->nobj;
}

/* Its magazines, once a nap. */
static void visit_once(struct heap *h, struct heap *v) {
    uint32_t events = hak_load_rlx(&v->events);
    if (hak_gates.takeover == ALL && hak_load_rlx(&v->called) != events) {
        hak_store_rlx(&v->called, events);
        visit_heap(h, v);
    }
}

/* Frees that wait for it; its magazines; current slabs that hold no block any more. */
static void strip(struct heap *h, struct heap *v) {
    if (remote_pending(v)) {
        remote_help(h, v);
    }
    visit_once(h, v);
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        if (whole_current(v, c)) {
            slab_drop_current(v, c);
        }
    }
}

static bool must_grow(unsigned cls) { return span_dirty() < hak_class[cls].units; }

bool takeover_slab(struct heap *h, unsigned cls) {
    uint32_t n = heap_count(), id = hak_load_rlx(&hint[cls]);
    if (HAK_LIKELY(n == 1) || !hak_gates.takeover || h->kind != HEAP_THREAD) {
        return false;
    }
    if (hak_add_rlx(&needs, 1) % ROLL_NEEDS == 0) {
        roll_call(n);
    }
    for (uint32_t look = 0; look < hak_min(n, LOOKS) && must_grow(cls); look++, id++) {
        id = id && id <= n ? id : 1;
        struct heap *v = heap_by_id(id);
        if (v == h || !asleep(v)) {
            continue;
        }
        strip(h, v);
        if (steal_from(h, v, cls, true)) {
            hak_store_rlx(&hint[cls], id);
            return true;
        }
    }
    hak_store_rlx(&hint[cls], id);
    return false;
}

/* A heap is asleep for the worker when it had no slow-path call since the pass before. */
void takeover_pass(struct heap *helper) {
    for (uint32_t id = 1; hak_gates.takeover == ALL && id <= heap_count(); id++) {
        struct heap *v = heap_by_id(id);
        uint32_t events = hak_load_rlx(&v->events);
        if (v->kind == HEAP_THREAD && !hak_load_rlx(&v->idle) && events == hak_load_rlx(&v->passed)) {
            visit_once(helper, v);
        }
        hak_store_rlx(&v->passed, events);
    }
}
