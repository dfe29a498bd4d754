/* layout/arena.h : where blocks live, and the map that answers "ours, mine, which class" in one compare.
 *
 *   map word = heap id << 8 | class      0: not ours      class HAK_CLASS_LARGE: first unit of a large block */
#ifndef HAK_LAYOUT_ARENA_H
#define HAK_LAYOUT_ARENA_H

#include "base/attr.h"
#include "gates/build.h"
#include "layout/slab.h"
#include <stddef.h>
#include <stdint.h>

struct arena {
    uintptr_t base;       /* const after start, 2 MiB aligned */
    size_t limit;         /* atomic: units that are usable; only grows */
    size_t none;          /* const: 0, the unit that a pointer outside the arena is looked up as */
    uint32_t *map;        /* const; entries atomic: written by whoever owns the unit, read by every free */
    struct slab *slabs;   /* const */
    uint64_t *bits;       /* const: the end of an array that grows down (slab_bits) */
    uint16_t *purged;     /* const: the end of an array that grows down (purged_at) */
    struct super *supers; /* const: the end of an array that grows down (super_at) */
} HAK_ALIGNED(HAK_CACHE_LINE);

extern HAK_HIDDEN struct arena hak_arena;

HAK_INLINE size_t unit_of(const void *p) { return ((uintptr_t)p - hak_arena.base) >> HAK_UNIT_SHIFT; }
/* A bit per 4 KiB page of unit u that was given back. lock: the owning heap */
HAK_INLINE uint16_t *purged_at(size_t u) { return hak_arena.purged - 1 - u; }
HAK_INLINE char *unit_address(size_t u) { return (char *)hak_arena.base + (u << HAK_UNIT_SHIFT); }

#endif
