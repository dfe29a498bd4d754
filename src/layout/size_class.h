/* layout/size_class.h : from a size to its class and back.
 *
 *   16 B steps to 256 (classes 0-15), 8 a doubling to 8 KiB (16-55), 4 a doubling to 128 KiB (56-71).
 * Everything follows from HAK_CLASS_SIZE; the tables below are its constant expansion, so that start-up computes nothing. */
#ifndef HAK_LAYOUT_SIZE_CLASS_H
#define HAK_LAYOUT_SIZE_CLASS_H

#include "base/attr.h"
#include "gates/build.h"
#include <stddef.h>
#include <stdint.h>

#define HAK_CLASS_SIZE(c)                                                                             \
    ((c) < 16   ? ((c) + 1) * 16                                                                      \
     : (c) < 56 ? (256 << ((((c)-16) / 8) & 15)) + (32 << ((((c)-16) / 8) & 15)) * (((c)-16) % 8 + 1) \
                : (8192 << ((((c)-56) / 4) & 15)) + (2048 << ((((c)-56) / 4) & 15)) * (((c)-56) % 4 + 1))

struct size_class {
    uint32_t size;  /* bytes of a block */
    uint32_t recip; /* ceil(2^32 / size): block index = offset * recip >> 32 */
    uint16_t nobj;  /* blocks of a slab */
    uint8_t units;  /* units of a slab */
    uint8_t cap;    /* blocks of a magazine chunk, 2..126 */
    uint16_t batch; /* blocks of a first refill */
    uint16_t least; /* a partial slab with fewer free blocks is not worth listing */
};
_Static_assert(sizeof(struct size_class) == 20 || sizeof(struct size_class) == 16, "five words at most");

extern HAK_HIDDEN struct size_class hak_class[HAK_CLASSES];

/* The class that a learned one was cut out of: hak_class_parent[c - HAK_CLASSES_FIXED]. */
extern HAK_HIDDEN uint8_t hak_class_parent[HAK_CLASSES - HAK_CLASSES_FIXED];

enum { HAK_CLASS_STEPS = HAK_MEDIUM_MAX / 16 + 1 };
/* hak_class_of[(n + 15) / 16] is the class of n bytes, n <= HAK_MEDIUM_MAX. */
extern HAK_HIDDEN uint8_t hak_class_of[HAK_CLASS_STEPS];

/* Of the block at p in a slab of one unit: its index << 32, plus less than 2^17 for the block's start, and at least recip >= 2^19 more for any
 * other byte of it: one multiplication both divides and tells an interior pointer. */
enum { HAK_INDEX_EXACT = 1 << 18 };
HAK_INLINE uint64_t hak_small_index(uintptr_t p, uint64_t recip) { return (p & (HAK_UNIT - 1)) * recip; }

HAK_INLINE size_t hak_class_index(size_t n) { return (n + 15) >> 4; }

#endif
