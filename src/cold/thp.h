/* cold/thp.h : transparent huge pages for a heap that has shown that it grows.                                         L2 */
#ifndef HAK_COLD_THP_H
#define HAK_COLD_THP_H

#include "base/attr.h"
#include "layout/heap.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* super.huge: what its memory was asked to consist of. THP_SMALL: of pages of 16 to 512 KiB. */
enum thp_kind { THP_NONE, THP_HUGE, THP_SMALL };

/* The arena grew by units from unit on; used units hold spans by now. Advises the kernel as the gate says. One caller at a time, no lock
 * held. */
HAK_HIDDEN enum thp_kind thp_grown(size_t unit, size_t units, size_t used);

/* Whether huge pages are worth it for a block of n bytes, whatever the heap's size: large blocks of this program are filled. Any thread. */
HAK_HIDDEN bool thp_large_wanted(size_t n);
/* A mapping of n bytes at p, more than HAK_HUGE_MIN, is new, or has grown over it: asks for them where they are worth it. Its owner, no lock held. */
enum thp_filling { THP_ANYWHERE, THP_FROM_THE_START, THP_GROWING }; /* calloc: perhaps a table; malloc; by realloc */
HAK_HIDDEN void thp_mapping(void *p, size_t n, enum thp_filling filling);
/* Asks for them where the span [unit, unit + units) holds whole supers. Its owner, no lock held. */
HAK_HIDDEN void thp_large(uint32_t unit, uint32_t units);
/* The block of n bytes at p is about to be freed: looks how much of it was filled. Its owner, no lock held. */
HAK_HIDDEN void thp_large_freed(const void *p, size_t n);

/* The heap takes a slab, which nobody has touched, of blocks that will be touched whole, at [unit, unit + units): if it is its super's first, and the
 * heap is large and dense, the super is asked for as one page: what follows will fill it. Owner of h, no lock held. */
HAK_HIDDEN void thp_slab(const struct heap *h, uint32_t unit, uint32_t units);

struct thp_stats {
    bool read;            /* whether the kernel was asked by now: the heap has grown */
    bool known;           /* whether it answered */
    size_t asked, always; /* sizes that it gives where asked, and everywhere: sums of bytes */
    size_t bytes[3];      /* of the arena, by enum thp_kind */
};
HAK_HIDDEN void thp_stats_get(struct thp_stats *out);

#endif
