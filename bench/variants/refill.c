/* refill.c : background refill: the owner of a magazine that runs low asks, a worker takes blocks from the owner's bitmaps into a chunk of
 * its own, and the owner takes that chunk by an exchange when it misses. No magazine in use is ever touched.
 * Owns       the worker, side.{asked,want,ready}, the reading end of side.handed
 * Threads    owners, the worker, fork's child
 * The worker looks each millisecond while there are requests, else twice as late each time, up to 64 ms.
 * Decision   docs/decisions/031, 032          Test  variants/ */
#include "refill.h"
#include "base/bits.h"
#include "cold/magazine.h"
#include "cold/meta.h"
#include "cold/remote.h"
#include "cold/slab.h"
#include "gates/gates.h"
#include "hot/cold_entry.h"
#include "layout/lookup.h"
#include "layout/thread_cache.h"
#include "os/os.h"
#include <pthread.h>
#include <signal.h>
#include <string.h>

enum { LEAST_MS = 1, MOST_MS = 64, SETTLE_BLOCKS = 126, TICK_EVENTS = 64, MAX_SHIFT = 3 };
enum { NONE, BEGUN };

static uint32_t state;             /* atomic: NONE, BEGUN */
static uint32_t never;             /* waited on, never changes */
static struct heap refill_heap;    /* worker: only its list of spare chunks is used */
static struct handed refill_batch; /* worker: a queue that was handed over */

/* --- the owner's side --- */

static void *pop(struct thread_cache *t, size_t cls) {
    uintptr_t *top = t->top[cls] - 1;
    uintptr_t p = *top;
    hak_store_rlx(&t->top[cls], top);
    return (void *)p;
}

/* What magazine.c does to its budget at a miss. */
static void grow_budget(struct heap *h, size_t cls) {
    size_t bytes = (size_t)hak_class[cls].cap * hak_class[cls].size;
    size_t most = hak_min(hak_max((size_t)hak_gates.magazine_bytes / bytes, 2), 512);
    if (h->settled[cls]) {
        h->settled[cls] = 0;
        h->max_chunks[cls] = (uint16_t)hak_min(h->max_chunks[cls] * 2u, most);
    } else if (h->batch_shift[cls] < MAX_SHIFT) {
        hak_store_rlx(&h->batch_shift[cls], (uint8_t)(h->batch_shift[cls] + 1));
    }
    h->used[cls] = 1;
    h->refills++;
}

/* The magazine is empty down to its last chunk, which k replaces. */
static void *install(struct thread_cache *t, struct heap *h, size_t cls, struct chunk *k) {
    struct chunk *old = chunk_of(t->top[cls]);
    size_t n = k->slot[0];
    t->busy++;
    chunk_set_prev(k, 0);
    hak_store_rlx(&t->top[cls], chunk_start(k, (unsigned)cls) + n);
    chunk_put(h, old);
    grow_budget(h, cls);
    t->busy--;
    return pop(t, cls);
}

static void ask(struct side *s, size_t cls) {
    const struct size_class *k = &hak_class[cls];
    unsigned want = (unsigned)k->batch << s->heap->batch_shift[cls];
    hak_store_rlx(&s->want[cls], (uint16_t)hak_min(want, k->cap));
    refill_raise(s);
}

/* Asks when one chunk is left, and when there is none; takes what is prepared. NULL: the core's turn. */
static void *take_ready(struct thread_cache *t, struct heap *h, size_t cls) {
    struct side *s = side_make(h);
    struct chunk *below = chunk_prev(chunk_of(t->top[cls]));
    if (!s || (below && chunk_prev(below))) {
        return 0;
    }
    struct chunk *k = 0;
    /* The core drains remote frees at a refill, and does its housekeeping at each 64th. */
    if (!below && !remote_pending(h) && ++h->events % TICK_EVENTS != 0 && hak_load_rlx(&s->ready[cls])) {
        k = hak_xchg_acq(&s->ready[cls], 0); /* acq: pairs with prepare() */
    }
    void *p = k ? install(t, h, cls, k) : 0;
    if (!hak_load_rlx(&s->ready[cls])) {
        ask(s, cls);
    }
    return p;
}

void *refill_cold(size_t n, size_t cls) {
    struct thread_cache *t = &hak_tls;
    void *p = t->heap && !t->busy && t->top[cls] != HAK_EMPTY ? take_ready(t, t->heap, cls) : 0;
    return p ? p : hak_malloc_cold(n, cls);
}

/* --- prepared chunks --- */

static void settle_ready(struct side *s, unsigned cls, struct heap *spares) {
    struct chunk *k =
        hak_load_rlx(&s->ready[cls]) ? hak_xchg_acq(&s->ready[cls], 0) : 0; /* acq: pairs with prepare() */
    if (k) {
        slab_settle(s->heap, cls, chunk_start(k, cls), (unsigned)k->slot[0]);
        chunk_put(spares, k);
    }
}

void refill_settle(struct side *s) {
    struct heap spares = {.nspare = 0};
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        hak_store_rlx(&s->want[c], 0);
        settle_ready(s, c, &spares);
    }
    chunk_put_all(&spares);
}

/* Blocks of the owner's slabs, taken under its heap's lock as any refill. */
static void prepare(struct side *s, unsigned cls, unsigned want) {
    struct chunk *k = chunk_get(&refill_heap);
    if (!k) {
        return;
    }
    uintptr_t *start = chunk_start(k, cls);
    start[-1] = 0;
    unsigned n = slab_take(s->heap, cls, start, want);
    if (!n) {
        chunk_put(&refill_heap, k);
        return;
    }
    k->slot[0] = n;
    hak_store_rel(&s->ready[cls], k); /* rel: pairs with take_ready(), settle_ready() */
}

/* --- the worker --- */

/* Frees what is no slab's block, and moves the others to the front of v; returns how many they are. */
static unsigned free_strangers(void **v, unsigned n) {
    unsigned kept = 0;
    for (unsigned i = 0; i < n; i++) {
        uint32_t word = hak_word_hot(v[i]);
        if (word && hak_word_class(word) < HAK_CLASSES) {
            v[kept++] = v[i];
        } else if (v[i]) {
            hak_tls.busy--;
            hak_free_cold(v[i]);
            hak_tls.busy++;
        }
    }
    return kept;
}

/* A queue that was handed over. It is empty for others before any block is freed: fork's child must not free it again. */
static void sort_handed(struct side *s, uint32_t n) {
    memcpy(refill_batch.slot, s->handed.slot, sizeof refill_batch.slot);
    hak_store_rel(&s->handed.n, 0); /* rel: pairs with the owner's look */
    for (uint32_t i = 0; i < n; i += SETTLE_BLOCKS) {
        void **v = &refill_batch.slot[i];
        unsigned blocks = free_strangers(v, (unsigned)hak_min(n - i, SETTLE_BLOCKS));
        unsigned others = slab_settle_mixed(s->heap, (uintptr_t *)(void *)v, blocks);
        for (unsigned k = 0; k < others; k++) {
            remote_settle_one(v[k], hak_word_hot(v[k]));
        }
    }
}

static size_t serve(struct side *s) {
    size_t done = 0;
    uint32_t n = hak_load_acq(&s->handed.n); /* acq: pairs with the owner's hand-over */
    if (n) {
        sort_handed(s, n);
        done++;
    }
    bool idle = hak_load_rlx(&s->heap->idle);
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        unsigned want = hak_load_rlx(&s->want[c]);
        if (want && !idle && !hak_load_rlx(&s->ready[c])) {
            hak_store_rlx(&s->want[c], 0);
            prepare(s, c, want);
            done++;
        }
    }
    if (hak_load_rlx(&s->heap->idle)) { /* its thread ended meanwhile */
        refill_settle(s);
    }
    return done;
}

static size_t pass(void) {
    size_t done = 0;
    hak_tls.busy++;
    for (struct side *s = side_first(); s; s = s->next) {
        if (hak_load_rlx(&s->asked)) {
            hak_store_rlx(&s->asked, 0);
            done += serve(s);
        }
    }
    hak_tls.busy--;
    return done;
}

static void *worker_main(void *arg) {
    (void)arg;
    pthread_setname_np(pthread_self(), "hakmem-refill");
    for (unsigned ms = LEAST_MS;;) {
        ms = pass() ? LEAST_MS : (unsigned)hak_min(ms * 2, MOST_MS);
        os_wait(&never, 0, ms);
    }
    return 0;
}

static void launch(void) {
    sigset_t all, old;
    pthread_attr_t attr;
    pthread_t id;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 128 << 10);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&id, &attr, worker_main, 0) != 0) {
        hak_store_rlx(&state, NONE); /* the next request tries again */
    }
    pthread_attr_destroy(&attr);
    pthread_sigmask(SIG_SETMASK, &old, 0);
}

void refill_raise(struct side *s) {
    uint32_t none = NONE;
    hak_store_rlx(&s->asked, 1);
    if (HAK_UNLIKELY(hak_load_rlx(&state) == NONE) && hak_cas_ar(&state, &none, BEGUN)) { /* ar: one starts it */
        launch();
    }
}

void refill_child(void) {
    hak_store_rlx(&state, NONE);
    refill_heap.spare = 0;
    refill_heap.nspare = 0;
}
