/* cold/arena.c : reserves address space once, makes it usable step by step.                                            L2
 *
 *   | supers | map | purged | slabs | bits | units ...        one reservation; each part is committed forward as units grow
 *
 * Owns       hak_arena.{base,limit,map,slabs,bits,purged,supers}        Never touches  their contents
 * Threads    arena_grow: one at a time, by span.c's claim
 * Invariant  every side array is usable for each unit below limit
 * Under RLIMIT_AS nothing is reserved: the parts are mapped where they will be needed, in a part of the address space that nobody else uses.
 * Gate       arena_max            Test  unit/arena, stress/limits */
#include "cold/arena.h"
#include "base/atomic.h"
#include "base/bits.h"
#include "gates/gates.h"
#include "layout/arena.h"
#include "layout/super.h"
#include "os/os.h"
#include <stdint.h>

static uint32_t no_map; /* what the first free of all looks at, before there is an arena */
struct arena hak_arena = {.map = &no_map};

enum { PARTS = 6, UNITS = 5 };

/* Bytes a unit needs in each part; the supers' share is rounded up. */
static const size_t part_bytes[PARTS] = {
    1, sizeof(uint32_t), sizeof(uint16_t), sizeof(struct slab), SLAB_WORDS * sizeof(uint64_t), HAK_UNIT};
_Static_assert(sizeof(struct super) <= (size_t)HAK_SUPER_UNITS, "a byte a unit holds the supers");

static struct part {
    char *at;
    size_t size, committed;
} parts[PARTS];
static bool reserved;

static const size_t step_min = (size_t)4 << 20, step_max = (size_t)64 << 20;

static size_t layout_of(size_t units, size_t sizes[PARTS]) {
    size_t total = HAK_SUPER; /* room to align the units */
    for (int i = 0; i < PARTS; i++) {
        sizes[i] = hak_align_up(units * part_bytes[i], HAK_UNIT);
        total += sizes[i];
    }
    return total;
}

static void place(char *at, const size_t sizes[PARTS]) {
    for (int i = 0; i < PARTS; i++) {
        if (i == UNITS) {
            at = (char *)hak_align_up((uintptr_t)at, HAK_SUPER);
        }
        parts[i] = (struct part){at, sizes[i], 0};
        at += sizes[i];
    }
    hak_arena.supers = (struct super *)parts[0].at;
    hak_arena.purged = (uint16_t *)parts[2].at;
    hak_arena.slabs = (struct slab *)parts[3].at;
    hak_arena.bits = (uint64_t *)parts[4].at;
    hak_arena.base = (uintptr_t)parts[UNITS].at;
}

static bool reserve(size_t size) {
    size_t sizes[PARTS];
    void *at;
    size_t total = layout_of(size >> HAK_UNIT_SHIFT, sizes);
    if (os_reserve(0, total, &at)) {
        return false;
    }
    place(at, sizes);
    reserved = true;
    return true;
}

/* No reservation: 16 to 31 TiB is far from where the kernel puts programs, libraries, stacks and mappings. */
static bool place_unreserved(size_t size) {
    size_t sizes[PARTS];
    layout_of(size >> HAK_UNIT_SHIFT, sizes);
    uintptr_t at = ((uintptr_t)16 << 40) + ((os_random() & 0x7fffff) << 21);
    place((char *)at, sizes);
    if (os_map_at((void *)at, HAK_UNIT)) { /* 39-bit address spaces end below */
        return false;
    }
    os_unmap((void *)at, HAK_UNIT);
    return true;
}

bool arena_init(void) {
    size_t want = hak_gates.arena_max ? (size_t)hak_gates.arena_max : (size_t)1 << 40;
    size_t limit = os_limit_as();
    want = hak_align_up(hak_max(want, HAK_SUPER), HAK_SUPER);
    if (limit != SIZE_MAX && place_unreserved(hak_min(hak_align_up(limit, HAK_SUPER), want))) {
        return true;
    }
    if (limit != SIZE_MAX) {
        want = hak_min(want, hak_align_down(limit / 4, HAK_SUPER));
    }
    for (; want >= HAK_SUPER; want = hak_align_down(want / 2, HAK_SUPER)) {
        if (reserve(want)) {
            return true;
        }
    }
    return false;
}

static bool commit(struct part *p, size_t upto, size_t grain) {
    if (upto <= p->committed) {
        return true;
    }
    upto = hak_min(hak_align_up(upto, grain), p->size);
    char *from = p->at + p->committed;
    size_t len = upto - p->committed;
    if (reserved ? os_commit(from, len) : os_map_at(from, len)) {
        return false;
    }
    hak_store_rlx(&p->committed, upto);
    return true;
}

static bool grow_to(size_t units) {
    if (units > parts[UNITS].size >> HAK_UNIT_SHIFT) {
        return false;
    }
    for (int i = 0; i < PARTS; i++) {
        if (!commit(&parts[i], units * part_bytes[i], HAK_UNIT)) {
            return false;
        }
    }
    return true;
}

size_t arena_grow(size_t units) {
    if (!hak_arena.base) {
        return 0;
    }
    size_t now = hak_arena.limit, bytes = now << HAK_UNIT_SHIFT;
    size_t step = hak_min(hak_max(bytes / 4, step_min), step_max) >> HAK_UNIT_SHIFT;
    units = hak_align_up(units, HAK_SUPER_UNITS);
    step = hak_max(hak_align_up(step, HAK_SUPER_UNITS), units);
    if (!grow_to(now + step)) {
        step = units;
        if (!grow_to(now + step)) {
            return 0;
        }
    }
    if (now == 0) { /* the map is readable only now: any free looks at word 0 */
        hak_store_rlx(&hak_arena.map, (uint32_t *)parts[1].at);
    }
    hak_store_rel(&hak_arena.limit, now + step); /* rel: whoever gets a pointer into the new units got it after this */
    return step;
}

size_t arena_retained(void) {
    size_t n = 0;
    for (int i = 0; reserved && i < PARTS; i++) {
        n += parts[i].size - hak_load_rlx(&parts[i].committed);
    }
    return n;
}

bool arena_holds(const void *p) {
    return hak_arena.base && (uintptr_t)p - (uintptr_t)parts[0].at <
                                 (size_t)(parts[UNITS].at - parts[0].at) +
                                     (reserved ? parts[UNITS].size : hak_load_rlx(&parts[UNITS].committed));
}
