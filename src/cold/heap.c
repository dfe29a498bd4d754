/* cold/heap.c : heaps by id, the idle list.                                                                            L2
 * Owns       the registry, heap.{idle,next_idle}          Threads  any: one lock for the list; look-up by id takes none
 * Invariant  an id, once given, names the same struct for ever, so that a stale map word can do no harm
 * Test       unit/heap */
#include "cold/heap.h"
#include "base/bits.h"
#include "cold/meta.h"

/* Leaf 0 holds the ids below 32, leaf k those from 2^(4+k) to twice that: a root of 20 words, and a first leaf that shares the first heap's page. */
enum { FIRST_BITS = 5, LEAVES = HAK_HEAP_BITS - FIRST_BITS + 1 };
_Static_assert((sizeof(void *) << FIRST_BITS) + offsetof(struct heap, lean) <= 4096,
               "a page for what every program touches");

static hak_lock lock = HAK_LOCK_INIT(HAK_RANK_LIST);
static struct heap **leaves[LEAVES];            /* a leaf is there before count says so */
static uint32_t count;                          /* atomic */
static struct heap *idle[HEAP_FIRST_CLASS + 1]; /* lock: list; last in, first out: the warmest */
static struct heap *shared;                     /* atomic */
static uint32_t nthread;                        /* atomic, changes under lock: thread heaps */
static uint32_t nidle;                          /* atomic, changes under lock: thread heaps in the idle list */

static unsigned leaf_of(uint32_t id) { return 32 - FIRST_BITS - hak_clz32(id | ((1u << FIRST_BITS) - 1)); }
static uint32_t leaf_first(unsigned leaf) { return leaf ? 1u << (leaf + FIRST_BITS - 1) : 0; }
static uint32_t leaf_size(unsigned leaf) { return 1u << (leaf ? leaf + FIRST_BITS - 1 : FIRST_BITS); }

struct heap *heap_by_id(uint32_t id) {
    if (id == 0 || id > hak_load_acq(&count)) { /* acq: pairs with heap_new() */
        return 0;
    }
    return leaves[leaf_of(id)][id - leaf_first(leaf_of(id))];
}

uint32_t heap_count(void) { return hak_load_acq(&count); } /* acq: pairs with heap_new() */

/* List lock held. False when the leaf for the next id is missing. */
static bool heap_enroll(struct heap *h, enum heap_kind kind, unsigned k, struct heap **leaf) {
    uint32_t id = count + 1;
    if (leaf_of(id) != k) {
        return false; /* others were enrolled meanwhile; theirs came with the leaf */
    }
    if (!leaves[k]) {
        hak_store_rlx(&leaves[k], leaf);
    }
    if (!leaves[k]) {
        return false;
    }
    h->id = id;
    h->kind = (uint8_t)kind;
    h->lock.rank = HAK_RANK_HEAP;
    hak_store_rlx(&nthread, nthread + (kind == HEAP_THREAD));
    leaves[k][id - leaf_first(k)] = h;
    hak_store_rel(&count, id); /* rel: pairs with heap_by_id() */
    return true;
}

static struct heap *heap_new(enum heap_kind kind) {
    struct heap *h = 0;
    for (bool done = false; !done;) {
        uint32_t id = hak_load_acq(&count) + 1; /* acq: pairs with heap_enroll() */
        unsigned k = leaf_of(id);
        if (k >= LEAVES) {
            return 0;
        }
        struct heap **leaf = 0;
        if (!hak_load_rlx(&leaves[k]) && !(leaf = meta_alloc(leaf_size(k) * sizeof *leaf, HAK_CACHE_LINE))) {
            return 0;
        }
        if (!h && !(h = meta_alloc(sizeof *h, HAK_CACHE_LINE))) {
            return 0;
        }
        hak_lock_take(&lock);
        done = heap_enroll(h, kind, k, leaf);
        hak_lock_drop(&lock);
    }
    return h;
}

static void count_idle(enum heap_kind kind, int by) {
    if (kind == HEAP_THREAD) {
        hak_store_rlx(&nidle, nidle + (uint32_t)by);
    }
}

uint32_t heap_idle_count(void) { return hak_load_rlx(&nidle); }

uint32_t heap_busy_count(void) {
    uint32_t without = hak_load_acq(&nidle); /* acq: read first, for there are never more of them than of all */
    return hak_load_rlx(&nthread) - without;
}

HAK_RACY size_t heap_purged_bytes(void) {
    size_t bytes = 0;
    for (uint32_t id = heap_count(); id; id--) {
        bytes += heap_by_id(id)->purged_bytes;
    }
    return bytes;
}

static struct heap *pop_idle(enum heap_kind kind) {
    struct heap *h = idle[kind];
    if (h) {
        idle[kind] = h->next_idle;
        hak_store_rlx(&h->idle, false);
        count_idle(kind, -1);
    }
    return h;
}

struct heap *heap_acquire(enum heap_kind kind) {
    hak_lock_take(&lock);
    struct heap *h = pop_idle(kind);
    hak_lock_drop(&lock);
    return h ? h : heap_new(kind);
}

void heap_release(struct heap *h) {
    hak_lock_take(&lock);
    hak_store_rlx(&h->idle, true);
    h->next_idle = idle[h->kind];
    idle[h->kind] = h;
    count_idle(h->kind, 1);
    hak_lock_drop(&lock);
}

struct heap *heap_shared(void) {
    struct heap *h = hak_load_acq(&shared); /* acq: pairs with the exchange below */
    if (!h && (h = heap_acquire(HEAP_SHARED)) != 0) {
        struct heap *none = 0;
        if (!hak_cas_ar(&shared, &none, h)) { /* ar: pairs with the load above */
            heap_release(h);
            h = none;
        }
    }
    return h;
}

void heap_lock_all(void) {
    hak_lock_take(&lock);
    for (uint32_t id = 1; id <= count; id++) {
        hak_lock *l = &heap_by_id(id)->lock;
        if (!hak_lock_try(l)) { /* all of one rank, in id order: outside the rank check */
            hak_lock_wait(l);
        }
    }
}

void heap_unlock_all(void) {
    for (uint32_t id = count; id; id--) {
        hak_lock_drop_tried(&heap_by_id(id)->lock);
    }
    hak_lock_drop(&lock);
}

void heap_child(void) {
    for (uint32_t id = count; id; id--) {
        hak_lock_reset(&heap_by_id(id)->lock);
    }
    hak_lock_drop(&lock);
    hak_lock_reset(&lock); /* the drop may have left it to a waiter who is gone */
}
