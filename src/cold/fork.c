/* cold/fork.c : the parent's locks are all held across fork, so the child's copy of every locked structure is whole.   L2
 * Owns       the handlers          Threads  the forking one
 * Not in a process of one thread, and not by a thread that is in the allocator already (a signal handler forks): it would wait for itself. Its
 * child is the same thread in the same place, and finds what it left; until it returns there, emergency.c serves it.
 * In the child the other threads are gone: their heaps become idle, and blocks in their magazines are settled, but the newest one of each
 * class, whose slot may be half written (hot/free_hot.h moves top first).
 * Lost in the child, and no more than that: a span that another thread was handing over between the central allocator and its slab, block or
 * purge, and the blocks of a slab that was having its pages purged; one of each a thread.
 * Source     POSIX.1-2024 pthread_atfork          Test  stress/fork */
#include "cold/fork.h"
#include "base/atomic.h"
#include "base/print.h"
#include "cold/door.h"
#include "cold/heap.h"
#include "cold/huge.h"
#include "cold/magazine.h"
#include "cold/meta.h"
#include "cold/remote.h"
#include "cold/span.h"
#include "cold/visit.h"
#include "cold/worker.h"
#include "os/os.h"

static bool held; /* by the one thread that has all locks */

static void prepare(void) {
    if (hak_tls.busy++ || !os_threaded()) {
        return;
    }
    os_stdio_lock();
    heap_lock_all();
    held = true;
    huge_lock();
    span_lock();
    meta_lock();
}

/* Whether the locks are this call's to drop. */
static bool outermost(void) { return hak_tls.busy == 1 && held; }

static void parent(void) {
    if (outermost()) {
        held = false;
        meta_unlock();
        span_unlock();
        huge_unlock();
        heap_unlock_all();
        os_stdio_unlock();
    }
    hak_tls.busy--;
}

/* A thread that was inside the cold path may have left its chunks half linked: its cached blocks are given up. So are the few of a class
 * that was visited: the newest slot may be half written, and it is by what slots hold that its bottom is found. */
static void adopt(struct heap *h) {
    struct thread_cache *t = h->cache;
    bool whole = t->busy == 0;
    for (unsigned c = 0; whole && c < HAK_CLASSES; c++) {
        if (h->visit[c]) {
            continue;
        }
        if (t->top[c] != HAK_EMPTY && t->top[c] > chunk_start(chunk_of(t->top[c]), c)) {
            t->top[c]--;
        }
        magazine_settle_class(t, h, c);
    }
    if (whole) {
        remote_flush(h);
    }
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        h->nchunks[c] = 0;
    }
    for (int i = 0; i < HAK_OUTBOXES; i++) {
        h->out[i] = (struct outbox){0, 0, 0};
    }
    h->spare = 0;
    h->nspare = 0;
    h->ndeferred = 0;
    h->cache = 0;
    h->robbed = false;
    visit_forget(h);
    heap_release(h);
}

static void drop_others(void) {
    held = false;
    meta_unlock();
    span_unlock();
    huge_unlock();
    meta_child();
    span_child();
    huge_child();
    heap_child();
    for (uint32_t id = 1; id <= heap_count(); id++) {
        struct heap *h = heap_by_id(id);
        if (h->kind == HEAP_THREAD && h->cache && h->cache != &hak_tls) {
            adopt(h);
        }
    }
    visit_child(hak_tls.heap);
    os_stdio_reset();
}

static void child(void) {
    if (outermost()) {
        drop_others();
    }
    worker_child();
    hak_tls.busy--;
}

enum { NOT_YET, BEGUN, DONE };

void fork_init(void) {
    static uint32_t state; /* atomic */
    uint32_t now = NOT_YET;
    if (hak_cas_ar(&state, &now, BEGUN)) { /* ar: pairs with the loads below */
        hak_tls.busy++;                    /* libc may allocate for its list */
        if (os_atfork(prepare, parent, child) != 0) {
            hak_warn("hakmem: no fork handlers: a child of more than one thread may hang");
        }
        hak_tls.busy--;
        hak_store_rel(&state, DONE); /* rel: pairs with the loads below */
        return;
    }
    while (hak_load_acq(&state) == BEGUN && !hak_tls.busy) { /* acq: pairs with the store above */
        os_wait(&state, BEGUN, 1);
    }
}

void fork_comes(void) {
    if (os_threaded() && !door_libc_mode()) {
        fork_init();
    }
}
