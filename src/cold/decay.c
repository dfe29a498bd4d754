/* cold/decay.c : the walk that finds old slabs with pages to spare, and what it does to each.                            L2
 * Owns       nothing          Reads  slab.epoch, super.{free,huge} without their locks: a wrong guess costs one look
 * Threads    any; a page is given back without a lock, while a claim keeps its blocks out of use
 * A huge page, or a slab of pages of 16 to 512 KiB, of which over three quarters are in use stays whole: to split it costs more than the rest is worth.
 * Decision   docs/decisions/010          Test  unit/purge, stress/rss_back */
#include "cold/decay.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "cold/heap.h"
#include "cold/slab.h"
#include "cold/slab_list.h"
#include "cold/span.h"
#include "cold/thp.h"
#include "layout/super.h"
#include "os/os.h"

enum { SLAB_PAGES = 128, PURGED = UINT16_MAX };

/* Bytes given back; *refused: the kernel does not take them (locked memory). */
static size_t claim_purge(const struct slab_claim *c, bool *refused) {
    size_t done = 0;
    for (unsigned i = 0; i < SLAB_PAGES;) {
        unsigned n = 0;
        while (i + n < SLAB_PAGES && c->pages[(i + n) / 64] >> ((i + n) % 64) & 1) {
            n++;
        }
        if (n) {
            bool gone = os_purge(unit_address(c->unit) + (size_t)i * SLAB_PAGE, (size_t)n * SLAB_PAGE) == 0;
            *refused |= !gone;
            done += gone ? (size_t)n * SLAB_PAGE : 0;
        }
        i += n + 1;
    }
    return done;
}

/* A current slab without a block that nobody wanted lately: the whole span, and it does not decay once more. */
static size_t current_purge(struct heap *h, uint32_t unit) {
    uint8_t units = slab_retire_current(h, unit);
    if (!units) {
        return 0;
    }
    size_t bytes = (size_t)units << HAK_UNIT_SHIFT;
    bool gone = os_purge(unit_address(unit), bytes) == 0;
    span_free(unit, units, !gone);
    return gone ? bytes : 0;
}

size_t decay_slab(struct heap *h, uint32_t unit) {
    struct slab_claim claim;
    bool refused = false;
    size_t done = 0;
    if (slab_claim_pages(h, unit, &claim)) {
        done = claim_purge(&claim, &refused);
        slab_unclaim(&claim, !refused);
    }
    return done;
}

HAK_RACY static uint32_t unit_used_bytes(uint32_t u, uint32_t *units) {
    const struct slab *s = &hak_arena.slabs[u];
    uint32_t word = hak_load_rlx(&hak_arena.map[u]);
    *units = 1;
    if ((word & 0xff) >= HAK_CLASSES || word == 0 || s->head_off) {
        return HAK_UNIT; /* part of a large block, or of a slab whose head lies in another super */
    }
    *units = s->units ? s->units : 1u;
    /* mark and left may be of two moments: then their difference is any number */
    size_t avail = hak_min(slab_avail(s), s->nobj);
    return (uint32_t)(s->nobj - avail) * hak_class[word & 0xff].size;
}

HAK_RACY static bool super_is_busy(uint32_t i) {
    const struct super *s = super_at(i);
    uint32_t used = 0, step;
    for (uint32_t k = 0; k < HAK_SUPER_UNITS; k += step) {
        step = 1;
        if (!(s->free >> k & 1)) {
            used += unit_used_bytes(i * HAK_SUPER_UNITS + k, &step);
        }
    }
    return used > HAK_SUPER / 4 * 3;
}

/* The answer for one superslab, which a walk asks for each of its units in turn. */
struct busy_super {
    uint32_t next; /* its number + 1; 0: none yet */
    bool busy;
};

/* Whether the unit lies in a huge page that is worth keeping. */
HAK_RACY static bool in_busy_huge(uint32_t unit, struct busy_super *seen) {
    uint32_t i = unit / HAK_SUPER_UNITS, step;
    const struct super *s = super_at(i);
    if (HAK_LIKELY(s->huge == THP_NONE)) {
        return false;
    }
    if (s->huge == THP_SMALL) { /* pages about as large as the slab */
        uint32_t used = unit_used_bytes(unit, &step);
        return used > step * HAK_UNIT / 4 * 3;
    }
    if (seen->next != i + 1) {
        *seen = (struct busy_super){i + 1, super_is_busy(i)};
    }
    return seen->busy;
}

HAK_RACY static bool due(uint32_t unit, uint32_t before, struct busy_super *seen) {
    uint32_t epoch = slab_at(unit)->epoch;
    if (before == DECAY_ANY_AGE) {
        return epoch != 0;
    }
    return epoch != 0 && (int32_t)(epoch - before) <= 0 && !in_busy_huge(unit, seen);
}

size_t decay_step(struct decay_walk *w) {
    size_t limit = hak_load_acq(&hak_arena.limit), done = 0; /* acq: pairs with arena_grow() */
    uint32_t u = w->unit ? w->unit : 1;
    struct busy_super seen = {0, false};
    for (; u < limit && w->looks && w->slabs; u++, w->looks--) {
        uint32_t word = hak_load_rlx(&hak_arena.map[u]);
        if (word && (word & 0xff) < HAK_CLASSES && due(u, w->before, &seen)) {
            struct heap *h = heap_by_id(word >> 8);
            size_t whole = current_purge(h, u);
            done += whole ? whole : decay_slab(h, u);
            w->slabs--;
        }
    }
    w->unit = u < limit ? u : 0;
    return done;
}
