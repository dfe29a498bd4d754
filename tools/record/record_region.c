/* record_region.c : order across threads without a clock at each event.
 * Owns       record_live->region: the lane whose event was the last one in a region of addresses (bits 8-31: its tag), and how many large
 *            blocks begin there (bits 0-7, 255: that many or more, for ever)
 * Threads    any. An entry changes hands by way of REGION_BUSY, held while a stamp is read
 * Invariant  two events of one block have stamps in the order in which they were, or equal ones of one thread: the later is either of
 *            the same lane, whose words are in order, or finds the region another's and is stamped after it was made BUSY; and who sees
 *            a region as its own has read its last stamp before it looked
 * Test       lab/record (threads that pass blocks on) */
#include "record.h"

#include <sched.h>

enum { PATIENCE = 100000 }; /* a holder that a signal handler has jumped away from will never be done */

static uint32_t region_seize(_Atomic uint32_t *region) {
    uint32_t seen = atomic_load_explicit(region, memory_order_relaxed);
    for (unsigned n = 0;; n++) {
        if (seen >> 8 == REGION_BUSY && n < PATIENCE) {
            if (n > 100)
                sched_yield();
            seen = atomic_load_explicit(region, memory_order_relaxed);
            continue;
        }
        /* acq: pairs with region_hand */
        if (atomic_compare_exchange_weak_explicit(region, &seen, (uint32_t)REGION_BUSY << 8 | (seen & REGION_LARGES),
                                                  memory_order_seq_cst, memory_order_relaxed))
            return seen;
    }
}

/* rel: pairs with region_seize */
static void region_hand(_Atomic uint32_t *region, uint32_t tag) {
    uint32_t seen = atomic_load_explicit(region, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(region, &seen, tag | (seen & REGION_LARGES), memory_order_release,
                                                  memory_order_relaxed)) {
    }
}

uint64_t record_region_claim(const struct lane *l, uintptr_t addr) {
    _Atomic uint32_t *region = record_region(addr);
    if ((atomic_load_explicit(region, memory_order_relaxed) & ~(uint32_t)REGION_LARGES) == l->tag)
        return 0;
    region_seize(region);
    wire_fence();
    uint64_t now = wire_stamp();
    wire_fence();
    region_hand(region, l->tag);
    return now;
}

void record_region_larges(uintptr_t addr, int by) {
    _Atomic uint32_t *region = record_region(addr);
    if ((atomic_load_explicit(region, memory_order_relaxed) & REGION_LARGES) != REGION_LARGES)
        atomic_fetch_add_explicit(region, (uint32_t)by, memory_order_relaxed);
}

void record_regions_forget(void) {
    for (size_t i = 0; i < RECORD_REGIONS; i++) {
        _Atomic uint32_t *region = &record_live->region[i];
        if (atomic_load_explicit(region, memory_order_relaxed) == REGION_NOBODY)
            continue;
        region_seize(region);
        region_hand(region, REGION_NOBODY);
    }
}
