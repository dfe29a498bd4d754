/* cold/shared.c : a thread's first few blocks of a class come from slabs that all threads share, one at a time and under a lock,
 * so that a thread that uses many classes a little costs neither slabs nor chunks.                                     L2
 * Owns       heap.misses          Threads  any          Decision  docs/decisions/008          Test  unit/shared, bench_threads */
#include "cold/shared.h"
#include "cold/slab.h"

enum { FIRST_BLOCKS = 8, FIRST_BYTES = 4096 };

void *shared_take(struct heap *h, unsigned cls) {
    uintptr_t p = 0;
    slab_take(h, cls, &p, 1);
    return (void *)p;
}

bool shared_first(struct heap *h, unsigned cls) {
    if (h->id == 1 || h->misses[cls] >= FIRST_BLOCKS ||
        (h->misses[cls] > 1 && h->misses[cls] * hak_class[cls].size > FIRST_BYTES)) {
        return false;
    }
    h->misses[cls]++;
    return true;
}
