/* cold/large.c : one span a block; the slab entry of its first unit holds its size.                                    L2
 * Owns       struct slab and map word of large blocks, their sum          Threads  any; a block by its owner
 * Invariant  map word of the first unit: heap << 8 | HAK_CLASS_LARGE, of the others 0
 * Decision   docs/decisions/011           Test  unit/large, conformance/realloc */
#include "cold/large.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "cold/heap.h"
#include "cold/huge.h"
#include "cold/span.h"
#include "cold/thp.h"
#include "layout/arena.h"
#include "os/os.h"
#include <string.h>

enum { SPARSE_MIN = 1 << 20, SPARSE_SHARE = 8 };

static uint32_t units_of(size_t n) { return (uint32_t)((n + HAK_UNIT - 1) >> HAK_UNIT_SHIFT); }

static size_t wide; /* atomic: units of the blocks that are longer than a superslab */

/* A block of was units has become one of now; 0: none. */
static void count_wide(uint32_t was, uint32_t now) {
    was = was > HAK_SUPER_UNITS ? was : 0;
    now = now > HAK_SUPER_UNITS ? now : 0;
    if (was != now) {
        hak_add_rlx(&wide, (size_t)now - was);
    }
}

size_t large_wide(void) { return hak_load_rlx(&wide); }

static void set_size(uint32_t unit, size_t n) {
    hak_arena.slabs[unit].large_pages = (uint32_t)((n + SLAB_PAGE - 1) / SLAB_PAGE);
}

/* A first-class heap's large blocks are a list, through the links that other heaps' partial slabs use. */
static void link_block(struct heap *h, uint32_t unit) {
    struct slab *s = &hak_arena.slabs[unit];
    hak_lock_take(&h->lock);
    s->next = h->large;
    if (h->large) {
        hak_arena.slabs[h->large].prev = unit;
    }
    hak_store_rlx(&h->large, unit);
    hak_lock_drop(&h->lock);
}

static void unlink_block(struct heap *h, uint32_t unit) {
    hak_lock_take(&h->lock);
    uint32_t next = hak_arena.slabs[unit].next, prev = hak_arena.slabs[unit].prev;
    hak_store_rlx(prev ? &hak_arena.slabs[prev].next : &h->large, next);
    if (next) {
        hak_arena.slabs[next].prev = prev;
    }
    hak_lock_drop(&h->lock);
}

/* Under a limit what the arena has is not there for mappings: a huge block that gets none may find a place among the free units. */
static bool arena_may_have(size_t n) {
    size_t units = hak_load_rlx(&hak_arena.limit), busy = span_used();
    return units > busy && n >> HAK_UNIT_SHIFT < units - busy;
}

void *large_alloc(size_t n, size_t align, uint32_t heap, bool *zeroed) {
    bool huge = n > HAK_HUGE_MIN || align > HAK_SUPER;
    void *p = huge ? huge_alloc(n, align, heap, zeroed) : 0;
    if (p || (huge && (align > HAK_SUPER || !arena_may_have(n)))) {
        return p;
    }
    uint32_t units = units_of(n ? n : 1);
    uint32_t align_units = align > HAK_UNIT ? (uint32_t)(align >> HAK_UNIT_SHIFT) : 1;
    uint32_t u = span_alloc(units, align_units, zeroed);
    if (!u && huge) {
        return 0;
    }
    if (!u) {
        return huge_alloc(n, align, heap, zeroed); /* the arena is out: the kernel may still have a place */
    }
    hak_arena.slabs[u] = (struct slab){.cls = HAK_CLASS_LARGE, .bucket = SLAB_UNLISTED, .large_units = units};
    set_size(u, n);
    count_wide(0, units);
    if (thp_large_wanted(n)) {
        thp_large(u, units);
    }
    if (heap) {
        link_block(heap_by_id(heap), u);
    }
    hak_store_rlx(&hak_arena.map[u], heap << 8 | HAK_CLASS_LARGE);
    return unit_address(u);
}

bool large_free(uint32_t unit) {
    uint32_t word = hak_load_rlx(&hak_arena.map[unit]);
    uint32_t units = hak_arena.slabs[unit].large_units;
    if ((word & 0xff) != HAK_CLASS_LARGE ||
        !hak_cas_ar(&hak_arena.map[unit], &word, 0)) { /* ar: one of two frees wins */
        return false;
    }
    if (word >> 8) {
        unlink_block(heap_by_id(word >> 8), unit);
    }
    thp_large_freed(unit_address(unit), large_size(unit));
    count_wide(units, 0);
    span_free(unit, units, true);
    return true;
}

size_t large_size(uint32_t unit) { return (size_t)hak_arena.slabs[unit].large_pages * SLAB_PAGE; }

bool large_resize(uint32_t unit, size_t n) {
    struct slab *s = &hak_arena.slabs[unit];
    uint32_t want = units_of(n), have = s->large_units;
    if (n > HAK_HUGE_MIN || want == 0) {
        return false;
    }
    if (want > have && !span_extend(unit, have, want - have)) {
        return false;
    }
    s->large_units = want;
    count_wide(have, want);
    set_size(unit, n);
    if (want < have) {
        span_free(unit + want, have - want, true);
    }
    return true;
}

void large_free_heap(struct heap *h) {
    for (uint32_t u; (u = hak_load_rlx(&h->large)) != 0;) {
        large_free(u); /* false: another thread is in the middle of it, and takes it off the list in a moment */
    }
    huge_free_heap(h->id);
}

/* Whether so little of [p, p + n) is in memory that giving it back costs less than writing all of it. */
static bool mostly_absent(const void *p, size_t n) {
    return n >= SPARSE_MIN && os_resident(p, n) < n / os_page_size() / SPARSE_SHARE;
}

/* Writes what is present and gives the rest back: a page that is not may be in swap and hold something. */
static bool zero_present(char *p, size_t pages) {
    size_t page = os_page_size();
    unsigned char in[OS_PRESENT_PAGES];
    for (size_t at = 0; at < pages; at += OS_PRESENT_PAGES) {
        size_t n = hak_min(pages - at, OS_PRESENT_PAGES), run;
        if (os_present(p + at * page, n, in)) {
            return false;
        }
        for (size_t i = 0; i < n; i += run) {
            for (run = 1; i + run < n && (in[i + run] & 1) == (in[i] & 1);) {
                run++;
            }
            char *from = p + (at + i) * page;
            if (in[i] & 1 || os_purge(from, run * page)) {
                memset(from, 0, run * page);
            }
        }
    }
    return true;
}

void *large_zero(void *p, size_t n) {
    size_t whole = hak_align_down(n, os_page_size());
    if (!mostly_absent(p, whole) || !zero_present(p, whole / os_page_size())) {
        return memset(p, 0, n);
    }
    memset((char *)p + whole, 0, n - whole);
    return p;
}
