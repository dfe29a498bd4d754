/* layout/super.h : a superslab, 32 units, as the span allocator sees it. */
#ifndef HAK_LAYOUT_SUPER_H
#define HAK_LAYOUT_SUPER_H

#include "gates/build.h"
#include <stdint.h>

/* dirty is a subset of what was ever touched: a free unit outside dirty reads zero. */
struct super {
    uint32_t free;  /* lock: central   a bit per unit that no span holds */
    uint32_t dirty; /* lock: central   a bit per unit that was touched since it was last given back */
    uint32_t next,
        prev;        /* lock: central   neighbours in the list of its longest run; 0 at the ends, n + 1 for super n */
    uint32_t epoch;  /* lock: central   milliseconds >> 4 of the last free */
    uint8_t longest; /* lock: central   length of the longest free run = its list */
    uint8_t huge;    /* lock: central   1 when huge pages were asked for */
    uint16_t reserved;
};
_Static_assert(sizeof(struct super) == 24, "supers are scanned");

#endif
