/* cold/thp.c : advice about huge pages, given once for each piece that the arena grows by.                             L2
 * Owns       what the kernel said about sizes          Reads  gates.thp          Threads  whoever grows the arena; statistics read along
 * Below the floor pages of 2 MiB cost more RSS than the time they save (measured: gs 1.20 against 1.09 of glibc, rptest 2.6 against 1.4, for
 * 1 % of CPU). Above it a fault of 2 MiB, a seventh of the cost of 512 faults of 4 KiB, counts for more, where what is taken is filled.
 * Where the administrator allows pages of 16 to 512 KiB on advice, and none of 2 MiB (which the kernel would take instead), a page is about
 * a slab: nothing much is wasted, and the advice comes once the heap is 64 of them.
 * The kernel is asked which sizes it gives when the heap is 4 MiB, not at start: that would cost each small program seven files.
 * Large blocks, 4 MiB and more, get theirs whatever the heap's size, once the program has shown that it fills such blocks.
 * A mapping of its own that malloc gave gets them before that, behind its first 4 MiB: who asks for no zeroes writes from one end, and who
 * never comes so far pays nothing. One that realloc made so large gets them at once.
 * Gate       HAKMEM_THP          Decision  docs/decisions/006          Test  unit/thp */
#include "cold/thp.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "cold/heap.h"
#include "cold/purge.h"
#include "cold/span.h"
#include "gates/gates.h"
#include "layout/arena.h"
#include "os/os.h"

enum { NEVER, DEFAULT, ALWAYS };
enum { ASK_UNITS = (4 << 20) >> HAK_UNIT_SHIFT, FLOOR_UNITS = (64 << 20) >> HAK_UNIT_SHIFT, FLOOR_PAGES = 64 };

/* Large blocks that programs fill gain from huge pages and waste nothing; those that they hardly touch (gs's page) would cost 2 MiB a touch.
 * So the first ones are looked at when they are freed, later ones now and then. */
enum {
    LARGE_BYTES = 4 << 20,
    MAPPING_HEAD = 4 << 20,
    LARGE_LOOKS = 8,
    LARGE_EVERY = 16,
    LARGE_TRUST = 4,
    LARGE_BLAME = 2
};

enum { SLAB_FLOOR = 24 << 20, SLAB_HOLES = 16 };

static struct thp_stats now; /* atomic: each word */
static uint32_t large_freed; /* atomic */
static int32_t large_filled; /* atomic: votes; over 0: they are filled */

static void ask(void) {
    size_t asked, always;
    bool known = os_huge_sizes(&asked, &always) == 0;
    hak_store_rlx(&now.asked, asked);
    hak_store_rlx(&now.always, always);
    hak_store_rlx(&now.known, known);
    hak_store_rel(&now.read, true); /* rel: pairs with thp_stats_get() */
}

static void ask_once(void) {
    if (!hak_load_acq(&now.read)) { /* acq: pairs with ask() */
        ask();
    }
}

/* What advice would bring: pages of 2 MiB if there are any, for all that is known. */
static enum thp_kind obtainable(void) {
    bool small = now.asked && !(now.asked & HAK_SUPER);
    return !now.known || now.asked & HAK_SUPER ? THP_HUGE : small ? THP_SMALL : THP_NONE;
}

/* The size of heap from which the largest of the small sizes is worth it. */
static size_t small_floor(void) {
    size_t largest = now.asked;
    while (largest & (largest - 1)) {
        largest &= largest - 1;
    }
    return hak_max(largest * FLOOR_PAGES >> HAK_UNIT_SHIFT, ASK_UNITS);
}

/* Was what the arena grew by last filled? Large blocks that a program takes at once and fills in part, or never, are no large heap yet. */
static bool filled_before(size_t unit) {
    size_t bytes = hak_min(unit, FLOOR_UNITS) << HAK_UNIT_SHIFT;
    size_t in = os_resident(unit_address(unit) - bytes, bytes);
    return in == SIZE_MAX || in * os_page_size() >= bytes / 4 * 3;
}

static bool wanted(enum thp_kind kind, size_t unit, size_t used) {
    if (hak_gates.thp == ALWAYS) {
        return true;
    }
    return kind == THP_HUGE ? used >= FLOOR_UNITS && filled_before(unit) : kind == THP_SMALL && used >= small_floor();
}

static enum thp_kind advise(size_t unit, size_t units, size_t used) {
    char *at = unit_address(unit);
    size_t bytes = units << HAK_UNIT_SHIFT;
    if (hak_gates.thp == NEVER) {
        os_huge(at, bytes, false);
        return THP_NONE;
    }
    if (used >= ASK_UNITS || hak_gates.thp == ALWAYS) {
        ask_once();
    }
    enum thp_kind kind = obtainable();
    if (!wanted(kind, unit, used)) {
        return now.always & HAK_SUPER ? THP_HUGE : THP_NONE;
    }
    return os_huge(at, bytes, true) == 0 ? kind : THP_NONE;
}

enum thp_kind thp_grown(size_t unit, size_t units, size_t used) {
    size_t absent = heap_purged_bytes() >> HAK_UNIT_SHIFT; /* a heap that is full of holes is not large */
    enum thp_kind kind = advise(unit, units, used - hak_min(used, absent));
    hak_store_rlx(&now.bytes[kind], now.bytes[kind] + (units << HAK_UNIT_SHIFT));
    return kind;
}

bool thp_large_wanted(size_t n) {
    return n >= LARGE_BYTES && hak_load_rlx(&large_filled) > 0 && hak_gates.thp == DEFAULT && obtainable() == THP_HUGE;
}

void thp_mapping(void *p, size_t n, enum thp_filling filling) {
    volatile char *first = p;
    size_t head = filling == THP_FROM_THE_START ? MAPPING_HEAD : 0;
    ask_once();
    if (hak_gates.thp != DEFAULT || thp_large_wanted(n)) {
        os_huge(p, n, hak_gates.thp != NEVER);
    } else if (filling != THP_ANYWHERE && hak_load_rlx(&large_filled) == 0 && obtainable() == THP_HUGE) {
        *first =
            *first; /* in memory before it is two mappings: only then the kernel can make them one again (huge.c) */
        os_huge((char *)p + head, n - head, true);
    }
}

void thp_large(uint32_t unit, uint32_t units) {
    uint32_t super, n;
    while ((n = span_mark_huge(unit, units, &super)) != 0) {
        size_t bytes = (size_t)n * HAK_SUPER;
        os_huge(unit_address((size_t)super * HAK_SUPER_UNITS), bytes, true);
        hak_add_rlx(&now.bytes[THP_HUGE], bytes);
        hak_add_rlx(&now.bytes[THP_NONE], 0 - bytes);
    }
}

/* Without the lock: a guess. */
HAK_RACY static bool is_dense(const struct heap *h) {
    return h->slab_bytes >= SLAB_FLOOR && purge_idle_bytes(h) < h->slab_bytes / SLAB_HOLES;
}

void thp_slab(const struct heap *h, uint32_t unit, uint32_t units) {
    uint32_t super;
    if (HAK_LIKELY(!is_dense(h)) || hak_gates.thp != DEFAULT || obtainable() != THP_HUGE ||
        (super = span_mark_first(unit, units)) == 0) {
        return;
    }
    os_huge(unit_address((size_t)super * HAK_SUPER_UNITS), HAK_SUPER, true);
    hak_add_rlx(&now.bytes[THP_HUGE], HAK_SUPER);
    hak_add_rlx(&now.bytes[THP_NONE], 0 - HAK_SUPER);
}

void thp_large_freed(const void *p, size_t n) {
    if (n < LARGE_BYTES || hak_gates.thp != DEFAULT) {
        return;
    }
    uint32_t k = hak_add_rlx(&large_freed, 1);
    size_t in = k < LARGE_LOOKS || k % LARGE_EVERY == 0 ? os_resident(p, hak_align_down(n, os_page_size())) : SIZE_MAX;
    if (in == SIZE_MAX) {
        return;
    }
    ask_once();
    bool full = in * os_page_size() >= n / 8 * 7;
    int32_t votes =
        hak_load_rlx(&large_filled) + (full ? 1 : -LARGE_BLAME); /* a vote lost to another thread does no harm */
    hak_store_rlx(&large_filled, votes > LARGE_TRUST ? LARGE_TRUST : votes < -LARGE_TRUST ? -LARGE_TRUST : votes);
}

void thp_stats_get(struct thp_stats *out) {
    out->read = hak_load_acq(&now.read); /* acq: pairs with ask() */
    out->known = hak_load_rlx(&now.known);
    out->asked = hak_load_rlx(&now.asked);
    out->always = hak_load_rlx(&now.always);
    for (int i = THP_NONE; i <= THP_SMALL; i++) {
        out->bytes[i] = hak_load_rlx(&now.bytes[i]);
    }
}
