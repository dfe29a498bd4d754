/* cold/door.c : the doors that hot/cold_entry.h declares (api/entry.c adds errno to the allocating ones): sorts out why the hot path gave up.                          L2
 * Owns       thread_cache.busy          Threads  any
 * A call that finds this thread inside already (a signal handler, or libc on our behalf) touches no structure: emergency.c.
 * Test       stress/signals, misuse/ */
#include "cold/door.h"
#include "base/atomic.h"
#include "base/print.h"
#include "cold/early.h"
#include "cold/emergency.h"
#include "cold/foreign.h"
#include "cold/heap.h"
#include "cold/huge.h"
#include "cold/init.h"
#include "cold/large.h"
#include "cold/learn.h"
#include "cold/magazine.h"
#include "cold/purge.h"
#include "cold/recall.h"
#include "cold/remote.h"
#include "cold/shared.h"
#include "cold/span.h"
#include "cold/thread.h"
#include "cold/worker.h"
#include "hot/cold_entry.h"
#include "layout/lookup.h"
#include "os/os.h"

enum { TICK_EVENTS = 64, TICK_SOON = 8 /* when there is more to do */, SHRINK_EPOCHS = 64 /* a second */ };
/* The program is called back (recall.c) while most of the heap waits for its age: each 64 ms for so many calls, at some 50 ns each, and once after
 * each tick, for it may fall silent any moment. */
enum { RECALL_EPOCHS = 4, RECALL_CALLS = 2000, RECALL_MIN = 2 << 20, RECALL_BEGIN = 2, RECALL_END = 32 };

/* Memory that waits for its age needs somebody who looks at the clock: once begun, until most of it is gone. */
HAK_RACY static bool much_waits(const struct heap *h) {
    size_t idle = purge_idle_bytes(h), dirty = span_dirty() << HAK_UNIT_SHIFT;
    size_t share = h->recall_calls ? RECALL_END : RECALL_BEGIN;
    return (dirty > RECALL_MIN && dirty > span_used() / share << HAK_UNIT_SHIFT) ||
           (idle > RECALL_MIN && idle > h->slab_bytes / share);
}

static void purge(struct thread_cache *t, struct heap *h, bool at_tick) {
    h->recalled = false;
    if (purge_tick()) {
        hak_store_rlx(&h->events, h->events | (TICK_EVENTS - TICK_SOON));
    }
    bool due = purge_epoch() - h->recalled_at >= RECALL_EPOCHS, silent = at_tick && h->recall_calls == 0;
    if ((due || silent) && much_waits(h) && !worker_runs()) {
        h->recalled_at = due ? purge_epoch() : h->recalled_at;
        recall_set(t, h, due ? RECALL_CALLS : 0);
    }
}

/* Slow-path housekeeping, now and then: what waits too long is sent, what is unused shrinks and is purged. */
HAK_COLD static void tick(struct thread_cache *t, struct heap *h) {
    remote_flush(h);
    purge(t, h, true);
    if (purge_epoch() - h->shrunk > SHRINK_EPOCHS) {
        h->shrunk = purge_epoch();
        magazine_shrink(t, h);
    }
}

/* A free that a signal handler left; NULL: none. Busy is set, so that handlers only add: one that emptied the ring in between would have it taken twice. */
HAK_COLD static void *take_deferred(struct thread_cache *t, struct heap *h) {
    t->busy++;
    hak_signal_fence();
    uint32_t n = hak_load_rlx(&h->ndeferred);
    void *p = 0;
    do {
        p = n ? h->deferred[n - 1] : 0;
    } while (n && !hak_cas_ar(&h->ndeferred, &n, n - 1)); /* ar: the block is read before its place is free */
    hak_signal_fence();
    t->busy--;
    return p;
}

/* A signal handler that met the cold path returns through here with busy still set: it leaves the housekeeping to the call it interrupted. */
static void leave(struct thread_cache *t, struct heap *h) {
    if (t->busy > 1) {
        t->busy--;
        return;
    }
    uint32_t events = h->events + 1;
    hak_store_rlx(&h->events, events);
    if (HAK_UNLIKELY(events % TICK_EVENTS == 0)) {
        tick(t, h);
    } else if (HAK_UNLIKELY(h->recalled)) {
        purge(t, h, false);
    }
    t->busy--;
    while (HAK_UNLIKELY(hak_load_rlx(&h->ndeferred) != 0)) {
        hak_free_cold(take_deferred(t, h));
    }
    worker_poll();
}

/* This thread's heap, attached now if need be. NULL: libc's turn, memory is out, or the thread has ended. */
static struct heap *heap_here(struct thread_cache *t) {
    if (HAK_LIKELY(t->heap != 0)) {
        return t->heap;
    }
    if (hak_load_acq(&hak_mode) < HAK_MODE_ON) { /* acq: pairs with hak_start() */
        hak_start();
    }
    return hak_load_acq(&hak_mode) == HAK_MODE_ON && thread_attach(t) ? t->heap : 0;
}

/* In a program that has just begun larger ones are mappings, up to where huge pages would matter. */
enum { EARLY_MOST = 32 << 10, EARLY_MAPPING = 512 << 10 };

void *door_early(size_t n, size_t align, bool *zeroed) {
    struct thread_cache *t = &hak_tls;
    if (HAK_LIKELY(t->heap != 0) || t->busy || os_threaded()) {
        return 0;
    }
    uint32_t mode = hak_load_acq(&hak_mode); /* acq: pairs with hak_start() */
    if (mode == HAK_MODE_NEW) {
        hak_start_early();
        mode = hak_load_acq(&hak_mode); /* acq: pairs with hak_start_early() */
    }
    void *p = 0;
    if (mode == HAK_MODE_EARLY && n <= EARLY_MOST) {
        *zeroed = false;
        p = early_alloc(n, align);
    } else if (mode == HAK_MODE_EARLY && n <= EARLY_MAPPING && early_count()) {
        t->busy++;
        p = huge_alloc(n, align, 0, zeroed);
        t->busy--;
    }
    return p;
}

HAK_COLD static void *malloc_without_heap(size_t n, size_t cls) {
    if (hak_load_acq(&hak_mode) == HAK_MODE_LIBC) {
        return hak_foreign.malloc(n);
    }
    hak_tls.busy++; /* locks are taken: a signal handler's call would wait for this one */
    hak_signal_fence();
    struct heap *h = heap_shared();
    void *p = h ? shared_take(h, (unsigned)cls) : 0;
    hak_signal_fence();
    hak_tls.busy--;
    return p;
}

HAK_NOINLINE static void *malloc_early(size_t n) {
    bool zeroed = false;
    return door_early(n, 1, &zeroed);
}

void *door_malloc(size_t n, size_t cls) {
    struct thread_cache *t = &hak_tls;
    if (HAK_UNLIKELY(t->busy)) {
        return emergency_alloc(n, 1);
    }
    void *p;
    if (HAK_UNLIKELY(!t->heap) && (p = malloc_early(n)) != 0) {
        return p;
    }
    struct heap *h = heap_here(t);
    if (HAK_UNLIKELY(cls == HAK_CLASS_CLOSED)) {
        cls = recall_class(t, h, n);
    }
    if (HAK_UNLIKELY(!h)) {
        return malloc_without_heap(n, cls);
    }
    t->busy++;
    if (t->top[cls] == HAK_EMPTY && shared_first(h, (unsigned)cls) && heap_shared()) {
        p = shared_take(heap_shared(), (unsigned)cls);
    } else {
        p = magazine_refill(t, h, (unsigned)cls);
        if (HAK_UNLIKELY(h->new_slab)) {
            h->new_slab = false;
            learn_see(t, n, (unsigned)cls);
            magazine_grown(t, h, (unsigned)cls);
        }
    }
    bool zeroed = false;
    if (HAK_UNLIKELY(!p) &&
        !(p = huge_alloc(n, 1, 0, &zeroed))) { /* not only the arena is out: what this thread hoards may be enough */
        thread_flush(t, h);
        purge_all(0);
        p = magazine_refill(t, h, (unsigned)cls);
    }
    leave(t, h);
    return p;
}

void *door_large(size_t n, size_t align, bool *zeroed) {
    struct thread_cache *t = &hak_tls;
    if (HAK_UNLIKELY(n > PTRDIFF_MAX || t->busy)) {
        *zeroed = false;
        return emergency_alloc(n, align);
    }
    void *p;
    if (HAK_UNLIKELY(!t->heap) && (p = door_early(n, align, zeroed)) != 0) {
        return p;
    }
    struct heap *h = heap_here(t);
    if (hak_load_acq(&hak_mode) == HAK_MODE_LIBC) {
        *zeroed = false;
        return align > 16 ? hak_foreign.memalign(align, n) : hak_foreign.malloc(n);
    }
    t->busy++;
    p = large_alloc(n, align, 0, zeroed);
    if (!p && h) {
        thread_flush(t, h);
        purge_all(0);
        p = large_alloc(n, align, 0, zeroed);
    }
    if (p && *zeroed) {
        purge_trade_large();
    }
    purge_tick();
    t->busy--;
    return p;
}

/* p lies in no usable unit, or in a free one. */
HAK_COLD static void free_unmapped(void *p) {
    if (emergency_holds(p)) {
        emergency_free(p);
    } else if (hak_load_acq(&hak_mode) == HAK_MODE_LIBC || !huge_free(p)) {
        if (hak_mode == HAK_MODE_LIBC || foreign_owns(p, "free")) {
            hak_foreign.free(p);
        }
    }
    purge_tick();
}

static void free_word(struct thread_cache *t, struct heap *h, void *p, uint32_t word) {
    if (hak_word_class(word) >= HAK_CLASSES) {
        if (((uintptr_t)p & (HAK_UNIT - 1)) != 0 || !large_free((uint32_t)unit_of(p))) {
            hak_die("hakmem: free(): invalid pointer %p", p);
        }
        purge_tick();
    } else if (h && hak_word_heap(word) == h->id) {
        magazine_push(t, h, p, hak_word_class(word));
    } else if (!h || heap_by_id(hak_word_heap(word))->kind != HEAP_THREAD) {
        remote_settle_one(p, word);
    } else {
        remote_push(h, p, word);
    }
}

/* In a signal handler that met the allocator, which may hold any lock: no housekeeping, and with the ring full a leak is better than a deadlock. */
HAK_COLD static void free_inside(struct heap *h, void *p) {
    if (emergency_holds(p)) {
        emergency_free(p);
    } else if (h && h->ndeferred < HEAP_DEFERRED) {
        h->deferred[h->ndeferred++] = p;
    }
}

/* What door_early() gave; its mappings as long as there are no others. */
static bool free_early(struct thread_cache *t, void *p) {
    if (early_holds(p)) {
        early_free(p);
        return true;
    }
    if (HAK_LIKELY(hak_load_acq(&hak_mode) != HAK_MODE_EARLY) || t->busy) { /* acq: pairs with hak_start_early() */
        return false;
    }
    t->busy++;
    bool done = huge_unmap(p); /* nothing looks at the clock yet for what is kept */
    t->busy--;
    return done;
}

HAK_NOINLINE static void free_sorted(void *p) {
    struct thread_cache *t = &hak_tls;
    if (HAK_UNLIKELY(free_early(t, p))) {
        return;
    }
    if (HAK_UNLIKELY(t->busy)) {
        free_inside(t->heap, p);
        return;
    }
    struct heap *h = heap_here(t);
    uint32_t word = hak_word_hot(p);
    t->busy++;
    if (word) {
        free_word(t, h, p, word);
    } else {
        free_unmapped(p);
    }
    if (h) {
        leave(t, h);
    } else {
        t->busy--;
    }
}

/* Into an open outbox: nothing that housekeeping would have to know of, unless a signal handler left it frees to do. */
static bool free_to_outbox(void *p, uint32_t cls) {
    struct thread_cache *t = &hak_tls;
    struct heap *h = t->heap;
    if (HAK_UNLIKELY(!h || t->busy || h->ndeferred)) {
        return false;
    }
    t->busy = 1;
    hak_signal_fence();
    bool stored = remote_store(h, p, cls ^ t->key);
    hak_signal_fence();
    t->busy = 0;
    return stored;
}

void hak_free_away(void *p, size_t cls) {
    if (p && HAK_UNLIKELY(!free_to_outbox(p, (uint32_t)cls))) {
        free_sorted(p);
    }
}

void hak_free_cold(void *p) { hak_free_away(p, hak_word_hot(p) ^ hak_tls.key); }

void hak_free_full(void *p, size_t cls) {
    struct thread_cache *t = &hak_tls;
    if (HAK_UNLIKELY(t->busy)) {
        hak_free_cold(p);
        return;
    }
    t->busy++;
    magazine_overflow(t, t->heap, p, (unsigned)cls);
    leave(t, t->heap);
}
