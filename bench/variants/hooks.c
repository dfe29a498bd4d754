/* hooks.c : where the core's slow paths reach what the variants keep beside a heap. The linker puts these in the place of the core's
 * functions (--wrap) for calls from other files.
 * Threads    as the functions wrapped          Test  variants/ */
#include "cold/fork.h"
#include "cold/heap.h"
#include "cold/remote.h"
#include "cold/worker.h"
#include "queue.h"
#include "refill.h"

#define WRAP(result, name, ...)                   \
    HAK_HIDDEN result __real_##name(__VA_ARGS__); \
    HAK_HIDDEN result __wrap_##name(__VA_ARGS__)

WRAP(void, remote_help, struct heap *helper, struct heap *owner);
WRAP(void, remote_flush, struct heap *h);
WRAP(void, heap_release, struct heap *h);
WRAP(void, worker_child, void);

/* thread_flush() helps itself: the thread ends, is idle, or is out of memory. */
void __wrap_remote_help(struct heap *helper, struct heap *owner) {
    struct side *s = helper == owner ? side_of(owner) : 0;
    if (s) {
        queue_flush(owner);
        refill_settle(s);
        __real_remote_flush(owner);
    }
    __real_remote_help(helper, owner);
}

/* In fork's child the heaps of lost threads are flushed by the one that is left. */
void __wrap_remote_flush(struct heap *h) {
    struct side *s = h->cache != &hak_tls ? side_of(h) : 0;
    if (s) {
        queue_orphan(s);
        refill_settle(s);
    }
    __real_remote_flush(h);
}

void __wrap_heap_release(struct heap *h) {
    struct side *s = side_of(h);
    if (s) {
        queue_end(s);
    }
    __real_heap_release(h);
    if (s) {
        refill_settle(s); /* the worker may have been at it */
    }
}

void __wrap_worker_child(void) {
    refill_child();
    __real_worker_child();
}
