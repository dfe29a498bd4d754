/* layout/slab.h : the side array that describes units, and the bitmaps beside it. Nothing of ours lies inside blocks.
 *
 *   units    | 64 KiB | 64 KiB | ...           struct slab of unit u: slabs[u]; its bitmap: slab_bits(u)
 *   A slab of k units is described by its first unit; the others hold how far back that is. */
#ifndef HAK_LAYOUT_SLAB_H
#define HAK_LAYOUT_SLAB_H

#include "base/attr.h"
#include "gates/build.h"
#include <stdint.h>

enum {
    SLAB_HALF_FREE = 2,
    SLAB_LEAN = 7,
    SLAB_BUCKETS = 8,
    SLAB_UNLISTED = 255
}; /* of the buckets all but SLAB_LEAN tell fullness */
enum { SLAB_WORDS = 64, SLAB_PAGE = 4096 };

/* A block is in one of {user, magazine, outbox or inbox chunk, bitmap, bump range}; avail counts those in the last two (slab_avail()):
 *   avail == popcount(bitmap) + (nobj - bump)       wholly free: avail == nobj       (checked: diag/verify.c) */
struct slab {
    uint32_t next, prev; /* lock: heap   units of the neighbours in the heap's list, 0 at the ends */
    uint16_t left;       /* lock: heap   mark - avail: settle counts it down to 0 */
    uint16_t nobj;       /* const while in use */
    uint16_t bump;       /* lock: heap   blocks from here on were never handed out */
    uint16_t mark;       /* lock: heap   avail from which settle must look at the lists again */
    uint8_t cls;         /* const while in use; HAK_CLASS_LARGE for a large block */
    uint8_t units;       /* const while in use */
    uint8_t bucket;      /* lock: heap   list it is in, or SLAB_UNLISTED */
    uint8_t head_off;    /* const while in use: units back to the first one */
    uint32_t
        epoch; /* lock: heap   purge clock, odd, when avail last changed much; 0: looked at since, no page to give back */
    union {
        uint32_t large_units; /* lock: central   units of a large block */
        uint32_t own_next;    /* lock: heap   neighbours among all slabs of a first-class heap */
    };
    union {
        uint32_t large_pages; /* owner of the block: 4 KiB pages asked for */
        uint32_t own_prev;
    };
};
_Static_assert(sizeof(struct slab) == 32, "two a cache line");

HAK_INLINE unsigned slab_avail(const struct slab *s) { return (uint16_t)(s->mark - s->left); }
HAK_INLINE void slab_set_mark(struct slab *s, unsigned mark) {
    s->left = (uint16_t)(s->left + mark - s->mark);
    s->mark = (uint16_t)mark;
}

#endif
