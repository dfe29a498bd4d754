/* cold/arena.c : reserves address space once, makes it usable step by step.                                            L2
 *
 *   | <- supers, map -> | <- purged, slabs -> | <- bits, units -> ...        one reservation; each part is committed as units grow
 *
 * Owns       hak_arena.{base,limit,map,slabs,bits,purged,supers}        Never touches  their contents
 * Threads    arena_grow, arena_shed: one at a time, by span.c's claim
 * Invariant  every side array is usable for each unit below limit
 * Under RLIMIT_AS nothing is reserved: the parts are mapped where they will be needed, in a part of the address space that nobody else uses.
 * Where the limit comes later, what is not used yet is given up, and mapped where needed from then on.
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

enum { PARTS = 3, UNITS = 2, SKEW = 512 };

/* One array grows up from anchor + SKEW, the other one down from there: the first elements of both, all that a small program has, lie in one page. */
static struct part {
    size_t each[2]; /* bytes a unit needs below and above; the supers' share is rounded up */
    size_t skew;
    char *anchor;
    size_t room[2], done[2]; /* bytes below and above the anchor that are set aside, and usable */
} parts[PARTS] = {{.each = {1, sizeof(uint32_t)}, .skew = SKEW},
                  {.each = {sizeof(uint16_t), sizeof(struct slab)}, .skew = SKEW},
                  {.each = {SLAB_WORDS * sizeof(uint64_t), HAK_UNIT}}};
_Static_assert(sizeof(struct super) <= (size_t)HAK_SUPER_UNITS, "a byte a unit holds the supers");
static bool reserved; /* atomic: cleared once */
static bool spare;    /* atomic: unit 0 is usable, and nobody has it */

static const size_t step_min = (size_t)4 << 20, step_max = (size_t)64 << 20;

static size_t layout_of(size_t units) {
    size_t total = HAK_SUPER; /* room to align the units */
    for (struct part *p = parts; p < parts + PARTS; p++) {
        p->room[0] = hak_align_up(units * p->each[0], HAK_UNIT);
        p->room[1] = hak_align_up(units * p->each[1] + p->skew, HAK_UNIT);
        total += p->room[0] + p->room[1];
    }
    return total;
}

static void place(char *at) {
    for (int i = 0; i < PARTS; i++) {
        parts[i].anchor = at + parts[i].room[0];
        if (i == UNITS) {
            parts[i].anchor = (char *)hak_align_up((uintptr_t)parts[i].anchor, HAK_SUPER);
        }
        at = parts[i].anchor + parts[i].room[1];
    }
    hak_arena.supers = (struct super *)(parts[0].anchor + SKEW);
    hak_arena.purged = (uint16_t *)(parts[1].anchor + SKEW);
    hak_arena.slabs = (struct slab *)(parts[1].anchor + SKEW);
    hak_arena.bits = (uint64_t *)parts[UNITS].anchor;
    hak_arena.base = (uintptr_t)parts[UNITS].anchor;
}

/* 20 to 29 TiB is far from where the kernel puts programs, libraries, stacks and mappings, and from what others choose for themselves: Go 768 GiB,
 * Java's ZGC 4 to 20 TiB, AddressSanitizer's shadow to 16 TiB. */
static void *far_away(void) { return (void *)(((uintptr_t)20 << 40) + ((os_random() & 0x3fffff) << 21)); }

/* Not where the kernel would put it, below the libraries: the program's own mappings would lie a terabyte further down, with page tables of their own,
 * and those from before far from those after. */
static bool reserve(size_t size) {
    void *at;
    if (os_reserve(far_away(), layout_of(size >> HAK_UNIT_SHIFT), &at)) {
        return false;
    }
    place(at);
    hak_store_rlx(&reserved, true);
    return true;
}

/* No reservation. */
static bool place_unreserved(size_t size) {
    layout_of(size >> HAK_UNIT_SHIFT);
    void *at = far_away();
    place(at);
    if (os_map_at(at, HAK_UNIT)) { /* 39-bit address spaces end below */
        return false;
    }
    os_unmap(at, HAK_UNIT);
    return true;
}

static bool commit(char *from, size_t len) {
    return !(hak_load_rlx(&reserved) ? os_commit(from, len) : os_map_at(from, len));
}

static bool extend(struct part *p, size_t units) {
    size_t below = units * p->each[0], above = hak_align_up(units * p->each[1] + p->skew, HAK_UNIT);
    below = below > p->skew ? hak_align_up(below - p->skew, HAK_UNIT) : 0;
    if (p->done[1] == 0) { /* the first step of both is one piece */
        if (!commit(p->anchor - below, below + above)) {
            return false;
        }
        hak_store_rlx(&p->done[0], below);
        hak_store_rlx(&p->done[1], above);
    }
    if (below > p->done[0]) {
        if (!commit(p->anchor - below, below - p->done[0])) {
            return false;
        }
        hak_store_rlx(&p->done[0], below);
    }
    if (above > p->done[1]) {
        if (!commit(p->anchor + p->done[1], above - p->done[1])) {
            return false;
        }
        hak_store_rlx(&p->done[1], above);
    }
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
            spare = extend(&parts[UNITS], hak_min(step_min, want) >> HAK_UNIT_SHIFT); /* the first growth would do it */
            return true;
        }
    }
    return false;
}

/* Nobody's unit is memory all the same: a mapping less for who starts. */
void *arena_spare(size_t *len) {
    *len = HAK_UNIT;
    return hak_xchg_acq(&spare, false) ? (void *)hak_arena.base : 0; /* acq: for no other effect */
}

static bool grow_to(size_t units) {
    if (units > parts[UNITS].room[1] >> HAK_UNIT_SHIFT) {
        return false;
    }
    for (int i = 0; i < PARTS; i++) {
        if (!extend(&parts[i], units)) {
            return false;
        }
    }
    return true;
}

static bool unmap(char *from, char *to) { return from == to || os_unmap(from, (size_t)(to - from)) == 0; }

/* The units first: all but a thousandth. When even they stay, nothing has changed. */
void arena_shed(void) {
    if (!hak_load_rlx(&reserved) || os_limit_as() == SIZE_MAX) {
        return;
    }
    for (struct part *p = parts + PARTS; p-- > parts;) {
        if (!unmap(p->anchor + p->done[1], p->anchor + p->room[1]) && p == parts + UNITS) {
            return;
        }
        unmap(p->anchor - p->room[0], p->anchor - p->done[0]);
        hak_store_rlx(&reserved, false);
    }
}

size_t arena_grow(size_t units) {
    if (!hak_arena.base) {
        return 0;
    }
    arena_shed(); /* a limit that nobody told us of holds for the arena, too: to use what is reserved counts no more */
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
        hak_store_rlx(&hak_arena.map, (uint32_t *)(parts[0].anchor + SKEW));
    }
    hak_store_rel(&hak_arena.limit, now + step); /* rel: whoever gets a pointer into the new units got it after this */
    return step;
}

size_t arena_retained(void) {
    size_t n = 0;
    for (int i = 0; hak_load_rlx(&reserved) && i < PARTS; i++) {
        n += parts[i].room[0] - hak_load_rlx(&parts[i].done[0]) + parts[i].room[1] - hak_load_rlx(&parts[i].done[1]);
    }
    return n;
}

bool arena_holds(const void *p) {
    const struct part *last = &parts[UNITS];
    if (!hak_arena.base) {
        return false;
    }
    uintptr_t start = (uintptr_t)(parts[0].anchor - parts[0].room[0]);
    uintptr_t end = (uintptr_t)last->anchor + (hak_load_rlx(&reserved) ? last->room[1] : hak_load_rlx(&last->done[1]));
    return (uintptr_t)p >= start && (uintptr_t)p < end;
}
