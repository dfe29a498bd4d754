/* cold/recall.c : a tick is a slow-path call, and a program whose calls all hit makes none: it would never learn that time has passed. So a
 * tick may close the thread's table of small sizes: each names a class that has no magazine, and the next malloc comes through the door.      L2
 * Owns       the closing of thread_cache.bin, heap.{recalled,recall_calls}          Never touches  magazines
 * Threads    the owner. A signal handler's call may close or open it in the middle of a malloc: that one has its class by then
 * Decision   docs/decisions/034          Test  unit/recall, stress/rss_back */
#include "cold/recall.h"
#include "base/atomic.h"
#include "layout/size_class.h"

#include <string.h>

enum { CLOCK_EVERY = 16 }; /* calls: to look at the clock is most of what one costs */

void recall_set(struct thread_cache *t, struct heap *h, uint32_t calls) {
    h->recall_calls = calls;
    memset(t->bin, HAK_CLASS_CLOSED, sizeof t->bin);
}

static void open_table(struct thread_cache *t) {
    for (size_t i = 0; i < sizeof t->bin; i++) {
        t->bin[i] = hak_load_rlx(&hak_class_of[i]);
    }
}

size_t recall_class(struct thread_cache *t, struct heap *h, size_t n) {
    if (!h || h->recall_calls == 0) {
        open_table(t);
    } else {
        h->recall_calls--;
    }
    if (h && h->recall_calls % CLOCK_EVERY == 0) {
        h->recalled = true;
    }
    return hak_load_rlx(&hak_class_of[hak_class_index(n)]);
}
