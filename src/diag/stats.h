/* diag/stats.h : where the bytes are, by walking.                                                                      L3 */
#ifndef HAK_DIAG_STATS_H
#define HAK_DIAG_STATS_H

#include "base/attr.h"
#include "cold/early.h"
#include "cold/thp.h"
#include "gates/build.h"
#include "hakmem/hakmem.h"
#include <stddef.h>

struct class_stats {
    size_t slabs;  /* in use */
    size_t blocks; /* that fit in them */
    size_t avail;  /* blocks in bitmaps and bump ranges */
    size_t cached; /* blocks in magazines or on their way between threads; live: blocks - avail - cached */
};

struct stats {
    struct hak_stats total;
    struct class_stats cls[HAK_CLASSES];
    size_t large, large_bytes; /* blocks that are spans of the arena */
    size_t huge, huge_bytes;   /* blocks that are mappings of their own */
    size_t heaps, idle_heaps;  /* ever made; without a thread now */
    size_t units_used, units_dirty, units_clean;
    size_t cached_blocks;
    struct early_stats early;
    struct thp_stats thp;
};

/* Fills *out. Takes every heap's lock in turn, then the span allocator's: exact when no other thread allocates or frees, else each slab
 * is. False, and all zero, when this thread is inside the allocator already, or libc serves the process. */
HAK_HIDDEN bool stats_get(struct stats *out);

#endif
