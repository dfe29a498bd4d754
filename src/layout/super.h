/* layout/super.h : a superslab, 32 units, as the span allocator sees it. */
#ifndef HAK_LAYOUT_SUPER_H
#define HAK_LAYOUT_SUPER_H

#include "base/attr.h"
#include "gates/build.h"
#include "layout/arena.h"
#include <stddef.h>
#include <stdint.h>

/* dirty is a subset of what was ever touched: a free unit outside dirty reads zero. */
struct super {
    uint32_t free;    /* lock: central   a bit per unit that no span holds */
    uint32_t dirty;   /* lock: central   a bit per unit that was touched since it was last given back */
    uint32_t next[2]; /* lock: central   neighbours in the two lists it is in; 0 at the ends, n + 1 for super n */
    uint32_t prev[2];
    uint32_t epoch; /* lock: central   milliseconds >> 4 of the last free */
    uint8_t run[2]; /* lock: central   longest run of free dirty units, and of free units: its lists */
    uint8_t huge;   /* lock: central   enum thp_kind, the pages that were asked for */
    uint8_t reserved;
};
_Static_assert(sizeof(struct super) == 32, "supers are scanned");

HAK_INLINE struct super *super_at(size_t i) { return hak_arena.supers - 1 - i; }

#endif
