/* cold/thread.c : the life of a thread as the allocator sees it.                                                       L2
 * Owns       thread_cache.{key,heap,state}, heap.cache
 * Threads    the thread itself
 * Invariant  a thread has one heap at most: two that name one cache are emptied twice by whoever visits it (visit.c)
 * A thread past its destructors has key ~0 and no heap again: its allocations come from the shared heap, its frees go straight home.
 * Decision   docs/decisions/008           Test  stress/churn, stress/tls_destructors */
#include "cold/thread.h"
#include "base/atomic.h"
#include "cold/fork.h"
#include "cold/heap.h"
#include "cold/learn.h"
#include "cold/magazine.h"
#include "cold/meta.h"
#include "cold/remote.h"
#include "cold/steal.h"
#include "cold/visit.h"
#include "os/os.h"
#include <pthread.h>

static pthread_key_t exit_key;
static bool have_key;

void thread_flush(struct thread_cache *t, struct heap *h) {
    remote_flush(h);
    remote_help(h, h);
    magazine_settle_all(t, h);
}

static void set_cache(struct heap *h, struct thread_cache *t) {
    hak_lock_take(&h->lock);
    h->cache = t;
    h->robbed = false; /* its magazines are empty */
    visit_forget(h);
    hak_lock_drop(&h->lock);
}

static void thread_exit(void *arg) {
    struct thread_cache *t = arg;
    struct heap *h = t->heap;
    if (!h || t != &hak_tls) {
        return;
    }
    t->busy++;
    t->key = ~UINT32_C(0);
    thread_flush(t, h);
    steal_offer(h); /* an idle heap keeps no free slab: others can use the span */
    chunk_put_all(h);
    set_cache(h, 0);
    t->heap = 0;
    t->state = THREAD_DEAD;
    heap_release(h);
    t->busy--;
}

void thread_init(void) { have_key = pthread_key_create(&exit_key, thread_exit) == 0; }

bool thread_attach(struct thread_cache *t) {
    if (t->state == THREAD_DEAD) {
        return false;
    }
    if (os_threaded()) {
        fork_init();
    }
    t->busy++;
    hak_signal_fence(); /* from here on no signal handler attaches; one that came before may have */
    if (HAK_UNLIKELY(t->heap != 0)) {
        t->busy--;
        return true;
    }
    struct heap *h = heap_acquire(HEAP_THREAD);
    if (h) {
        set_cache(h, t);
        t->heap = h;
        t->state = THREAD_LIVE;
        learn_inherit(t);
        t->key = h->id << 8;
    }
    t->busy--;
    if (h && have_key) {
        pthread_setspecific(exit_key, t); /* may allocate: the thread can by now */
    }
    return h != 0;
}
