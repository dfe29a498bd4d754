/* cold/purge.c : decay: what nobody used for a while goes back to the kernel, whole spans first, then pages of partial slabs.  L2
 * Owns       the purge clock          Reads  gates.decay
 * Threads    any; pages are claimed under a lock and given back without one
 * Decision   docs/decisions/010          Test  unit/purge, stress/rss */
#include "cold/purge.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "cold/heap.h"
#include "cold/huge.h"
#include "cold/remote.h"
#include "cold/slab.h"
#include "cold/slab_list.h"
#include "cold/span.h"
#include "gates/gates.h"
#include "os/os.h"

enum { EPOCH_SHIFT = 4, TICK_EPOCHS = 4 };
enum { TRADE_MIN = 1 << 20, TRADE_SHARE = 10, TRADE_LUMP = 64 };

static uint32_t clock_now;  /* atomic */
static uint32_t last_purge; /* atomic */

uint32_t purge_epoch(void) { return hak_load_rlx(&clock_now); }

static size_t purge_spans(uint32_t epoch, size_t keep_units) {
    uint32_t cursor = 0, units = 0, u;
    size_t done = 0;
    while (span_dirty() > keep_units && (u = span_claim_dirty(&cursor, epoch, &units)) != 0) {
        size_t left = span_dirty(), spare = left < keep_units ? hak_min(keep_units - left, units) : 0;
        units -= (uint32_t)spare;
        bool gone = os_purge(unit_address(u), (size_t)units << HAK_UNIT_SHIFT) == 0;
        span_free(u, units, !gone);
        span_free(u + units, (uint32_t)spare, true);
        if (!gone) {
            break; /* locked memory: it stays */
        }
        done += (size_t)units << HAK_UNIT_SHIFT;
    }
    return done;
}

static size_t purge_claim(const struct slab_claim *c) {
    size_t done = 0;
    for (unsigned i = 0; i < 128;) {
        if (!(c->pages[i / 64] >> (i % 64) & 1)) {
            i++;
            continue;
        }
        unsigned n = 1;
        while (i + n < 128 && (c->pages[(i + n) / 64] >> ((i + n) % 64) & 1)) {
            n++;
        }
        if (os_purge(unit_address(c->unit) + (size_t)i * SLAB_PAGE, (size_t)n * SLAB_PAGE) == 0) {
            done += (size_t)n * SLAB_PAGE;
        }
        i += n;
    }
    return done;
}

/* The slab after unit u in the heap's list for this bucket, by number, so that the lock can be given up in between; 0 at the end. */
static uint32_t slab_after(struct heap *h, unsigned cls, unsigned bucket, uint32_t u) {
    uint32_t best = 0;
    hak_lock_take(&h->lock);
    for (uint32_t s = h->partial[cls][bucket]; s; s = slab_at(s)->next) {
        if (s > u && (!best || s < best)) {
            best = s;
        }
    }
    hak_lock_drop(&h->lock);
    return best;
}

static size_t purge_slab(struct heap *h, uint32_t u) {
    struct slab_claim claim;
    size_t done = 0;
    if (slab_claim_pages(h, u, &claim)) {
        done = purge_claim(&claim);
        slab_unclaim(h, &claim, true);
    }
    return done;
}

static size_t purge_heap(struct heap *h) {
    size_t done = 0;
    for (unsigned c = 0; c < HAK_CLASSES; c++) {
        slab_drop_current(h, c);
        for (unsigned b = 0; b < SLAB_BUCKETS; b++) {
            for (uint32_t u = slab_after(h, c, b, 0); u; u = slab_after(h, c, b, u)) {
                done += purge_slab(h, u);
            }
        }
    }
    return done;
}

/* Not at once: what a heap just shed it often needs again a moment later, so growth is paid for in lumps. Roughly: free blocks smaller than
 * a page need luck to leave a whole one. */
size_t purge_trade_due(struct heap *h) {
    size_t due = h->grown_bytes;
    if (HAK_LIKELY(due < TRADE_MIN || due < h->slab_bytes / TRADE_LUMP)) {
        return 0;
    }
    size_t idle = h->free_bytes - h->fresh_bytes - h->purged_bytes;
    h->grown_bytes = 0;
    return idle <= h->slab_bytes && idle >= TRADE_MIN && idle * TRADE_SHARE >= h->slab_bytes ? due : 0;
}

/* A slab that is fuller than half is refilled before the others: its pages would soon be touched again. A race is harmless. */
static bool worth_trading(uint32_t u) {
    uint8_t b = slab_at(u)->bucket;
    return b != SLAB_UNLISTED && b >= SLAB_BUCKETS / 2;
}

void purge_trade_pages(struct heap *h, size_t bytes) {
    size_t limit = hak_load_rlx(&hak_arena.limit), done = 0;
    uint32_t u = hak_load_rlx(&h->trade_unit);
    for (size_t look = 0; look < limit && done < bytes; look++) {
        u = u + 1 < limit ? u + 1 : 1;
        uint32_t word = hak_load_rlx(&hak_arena.map[u]);
        if (word >> 8 == h->id && (word & 0xff) < HAK_CLASSES && worth_trading(u)) {
            done += purge_slab(h, u);
        }
    }
    hak_store_rlx(&h->trade_unit, u);
}

void purge_trade(uint32_t units) {
    size_t now = span_dirty();
    if (!huge_purge(UINT32_MAX)) {
        purge_spans(UINT32_MAX, now > units ? now - units : 0);
    }
}

size_t purge_all(size_t keep) {
    size_t done = 0;
    for (uint32_t id = 1; id <= heap_count(); id++) {
        done += purge_heap(heap_by_id(id));
    }
    return done + purge_spans(UINT32_MAX, keep >> HAK_UNIT_SHIFT) + (keep ? 0 : huge_purge(UINT32_MAX));
}

void purge_tick(void) {
    uint32_t now = (uint32_t)(os_now_ms() >> EPOCH_SHIFT), last = hak_load_rlx(&last_purge);
    hak_store_rlx(&clock_now, now);
    if ((now - last < TICK_EPOCHS && hak_gates.decay) ||
        !hak_cas_ar(&last_purge, &last, now)) { /* ar: one thread a step */
        return;
    }
    uint32_t before = now - (uint32_t)(hak_gates.decay >> EPOCH_SHIFT);
    if (span_dirty()) {
        purge_spans(before, 0);
    }
    huge_purge(before);
}
