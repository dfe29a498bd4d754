/* cold/purge.c : decay: what nobody used for a while goes back to the kernel, whole spans first, then pages of partial slabs.  L2
 * Owns       the purge clock          Reads  gates.decay
 * Threads    any; pages are claimed under a lock and given back without one
 * Decision   docs/decisions/010          Test  unit/purge, stress/rss */
#include "cold/purge.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "cold/decay.h"
#include "cold/heap.h"
#include "cold/huge.h"
#include "cold/large.h"
#include "cold/slab_list.h"
#include "cold/span.h"
#include "cold/worker.h"
#include "gates/gates.h"
#include "layout/arena.h"
#include "layout/heap.h"
#include "os/os.h"

enum { EPOCH_SHIFT = 4, TICK_EPOCHS = 4, TICK_MOST = 16 };
enum { TRADE_MIN = 1 << 20, TRADE_MIN_LARGE = 256 << 10, TRADE_SHARE = 20, TRADE_LUMP = 64 };
/* A tick's bounds for each 16 ms since the last one, at most for TICK_MOST of them: 8 MiB of spans, pages of so many slabs. Each costs
 * up to a millisecond. And a look at 256 MiB of heap. */
enum { TICK_UNITS = (8 << 20) >> HAK_UNIT_SHIFT, TICK_SLABS = 32, TICK_LOOKS = 4096 };
/* Parts: of what long blocks hold, less than span.c's TRADE_SHARE_LARGE; of the demand, what may be given back young, or missed, before it counts, and
 * the most slack. */
enum { WIDE_SHARE = 3, EXPECTED_SHARE = 4, SLACK_SHARE = 2 };
enum { COLLAPSE_MIN = (4 << 20) >> HAK_UNIT_SHIFT };

static uint32_t clock_now;    /* atomic */
static uint32_t last_purge;   /* atomic */
static uint32_t window;       /* atomic: start of the present window of demand */
static uint32_t cursor;       /* atomic: where the next tick's walk goes on */
static uint32_t trade_cursor; /* atomic: and the next trade's */
/* In the present window of demand, and in the one before: */
static size_t given[2];  /* atomic: bytes of spans given back young */
static size_t missed[2]; /* atomic: bytes of slabs' pages that had been given back and were needed again */
static size_t high; /* atomic: what was resident when growth was last paid for, or the present window of demand began */

uint32_t purge_epoch(void) { return hak_load_rlx(&clock_now); }

/* Free spans older than epoch, but keep_units, and at most about most units of them. */
static size_t purge_spans(uint32_t epoch, size_t keep_units, size_t most) {
    uint32_t at = 0, units = 0, u;
    size_t done = 0;
    while (span_dirty() > keep_units && done >> HAK_UNIT_SHIFT < most &&
           (u = span_claim_dirty(&at, epoch, &units)) != 0) {
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

/* Not at once: what a heap just shed it often needs again a moment later, so growth is paid for in lumps. Roughly: free blocks smaller than
 * a page need luck to leave a whole one. */
HAK_RACY size_t purge_idle_bytes(const struct heap *h) {
    size_t idle = h->free_bytes - h->fresh_bytes - h->purged_bytes;
    return idle <= h->slab_bytes ? idle : 0;
}

size_t purge_trade_due(struct heap *h) {
    size_t due = h->grown_bytes;
    if (HAK_LIKELY(due < TRADE_MIN || due < h->slab_bytes / TRADE_LUMP)) {
        return 0;
    }
    size_t idle = purge_idle_bytes(h);
    h->grown_bytes = 0;
    return idle >= TRADE_MIN && idle * TRADE_SHARE >= h->slab_bytes ? due : 0;
}

void purge_missed(size_t bytes) {
    if (bytes) {
        hak_add_rlx(&high, bytes);
        hak_add_rlx(&missed[0], bytes);
    }
}

/* Roughly: spans, less the pages of slabs that were given back. Not the huge blocks, which come and go. */
static size_t resident(void) { return ((span_used() + span_dirty()) << HAK_UNIT_SHIFT) - heap_purged_bytes(); }

/* A slab that is fuller than half is refilled before the others: its pages would soon be touched again. One that was looked at has none to give. */
HAK_RACY static bool worth_trading(uint32_t u) {
    uint8_t b = slab_at(u)->bucket;
    return b != SLAB_UNLISTED && b >= SLAB_HALF_FREE && slab_at(u)->epoch != 0;
}

/* Units of what was counted in both windows, beyond what is to be expected of a program that shrinks once. */
static size_t unexpected(const size_t count[2]) {
    size_t units = (hak_load_rlx(&count[0]) + hak_load_rlx(&count[1])) >> HAK_UNIT_SHIFT;
    return units - hak_min(units, span_demand() / EXPECTED_SHARE);
}

/* Where much of what was traded is needed again nothing is, until that stops. */
static size_t trade_with(const struct heap *only, uint32_t *cursor_at, size_t due) {
    if (unexpected(missed)) {
        return 0;
    }
    size_t limit = hak_load_rlx(&hak_arena.limit), done = 0;
    uint32_t u = hak_load_rlx(cursor_at);
    for (size_t look = 0; look < limit && done < due; look++) {
        u = u + 1 < limit ? u + 1 : 1;
        uint32_t word = hak_load_rlx(&hak_arena.map[u]);
        if (word && (word & 0xff) < HAK_CLASSES && (!only || word >> 8 == only->id) && worth_trading(u)) {
            done += decay_slab(heap_by_id(word >> 8), u);
        }
    }
    hak_store_rlx(cursor_at, u);
    return done;
}

void purge_trade_pages(struct heap *h, size_t bytes) { trade_with(h, &h->trade_unit, bytes); }

/* Only above what was resident already: below it, what is given back would be faulted in again, and the peak stays what it was. */
void purge_trade_large(void) {
    size_t now = resident(), most = hak_load_rlx(&high), due = now - most;
    if (now <= most || due < TRADE_MIN_LARGE || due < most / TRADE_LUMP) {
        return;
    }
    hak_store_rlx(&high, now);
    size_t done = trade_with(0, &trade_cursor, due);
    hak_store_rlx(&high, now - hak_min(done, due));
}

/* Free spans, though they are not old. */
static size_t give_young(uint32_t epoch, size_t keep_units, size_t most) {
    size_t done = purge_spans(epoch, keep_units, most);
    hak_add_rlx(&given[0], done);
    return done;
}

size_t purge_slack(void) { return hak_min(unexpected(given), span_demand() / SLACK_SHARE); }

void purge_trade(uint32_t units) {
    size_t now = span_dirty();
    if (!huge_purge(UINT32_MAX)) {
        give_young(UINT32_MAX, now > units ? now - units : 0, SIZE_MAX);
    }
}

size_t purge_all(size_t keep) {
    struct decay_walk all = {.before = DECAY_ANY_AGE, .looks = UINT32_MAX, .slabs = UINT32_MAX};
    size_t done = decay_step(&all);
    span_shed();
    return done + purge_spans(UINT32_MAX, keep >> HAK_UNIT_SHIFT, SIZE_MAX) + (keep ? 0 : huge_purge(UINT32_MAX));
}

static void shift(size_t count[2]) {
    hak_store_rlx(&count[1], hak_load_rlx(&count[0]));
    hak_store_rlx(&count[0], 0);
}

static void next_window(void) {
    span_next_window();
    shift(given);
    shift(missed);
}

/* The epoch before which what was not used since is old. The demand of spans is judged over a time as long. */
static uint32_t old_before(uint32_t now) {
    uint32_t decay = (uint32_t)(hak_gates.decay >> EPOCH_SHIFT), start = hak_load_rlx(&window);
    uint32_t passed = now - start;
    if (passed > decay && hak_cas_ar(&window, &start, now)) { /* ar: one thread a window */
        next_window();
        hak_store_rlx(&high, resident());
        if (passed / 2 >= decay) { /* the program was silent: there is no demand of late */
            next_window();
        }
    }
    return (now - decay) & ~UINT32_C(1); /* never "any age" */
}

/* Supers that nobody freed into since before; then, for in busy ones no unit ever looks old, what is more than the demand of late and the slack. Blocks
 * longer than a superslab seldom fit where others were: a third as much may lie idle from the start, which is more than growth lets pass (span.c). */
static size_t purge_old_spans(uint32_t before, size_t most) {
    size_t done = 0;
    if (span_dirty()) {
        done = purge_spans(before, 0, most);
        size_t most_used = span_demand() + hak_max(purge_slack(), large_wide() / WIDE_SHARE);
        size_t keep = most_used - hak_min(span_used(), most_used);
        done += give_young(purge_epoch(), keep, most - hak_min(done >> HAK_UNIT_SHIFT, most));
    }
    return done;
}

/* Much is free for what is in use: what of it is old goes as fast as ticks come. */
static bool collapsed(void) { return span_dirty() > span_used() / 2 + COLLAPSE_MIN; }

bool purge_tick(void) {
    uint32_t now = (uint32_t)(os_now_ms() >> EPOCH_SHIFT), last = hak_load_rlx(&last_purge);
    hak_store_rlx(&clock_now, now);
    if ((now - last < TICK_EPOCHS && hak_gates.decay) ||
        !hak_cas_ar(&last_purge, &last, now)) { /* ar: one thread a step */
        return false;
    }
    if (worker_runs()) {
        return false;
    }
    uint32_t steps = (uint32_t)hak_min(hak_max(now - last, 1), TICK_MOST);
    struct decay_walk w = {hak_load_rlx(&cursor), old_before(now), TICK_LOOKS, TICK_SLABS * steps};
    size_t units = (size_t)TICK_UNITS * steps, done = purge_old_spans(w.before, units);
    huge_purge(w.before);
    decay_step(&w);
    hak_store_rlx(&cursor, w.unit);
    bool more = done >= units << HAK_UNIT_SHIFT || w.slabs == 0;
    if (more) {
        hak_store_rlx(&last_purge, now - TICK_EPOCHS + !collapsed()); /* the next step goes on */
    }
    return more;
}

size_t purge_pass(void) {
    uint32_t now = (uint32_t)(os_now_ms() >> EPOCH_SHIFT);
    hak_store_rlx(&clock_now, now);
    struct decay_walk w = {.before = old_before(now), .looks = UINT32_MAX, .slabs = UINT32_MAX};
    size_t done = purge_old_spans(w.before, SIZE_MAX >> HAK_UNIT_SHIFT);
    done += huge_purge(w.before);
    return done + decay_step(&w);
}
