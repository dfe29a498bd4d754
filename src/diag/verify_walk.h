/* diag/verify_walk.h : what the halves of the verifier share.                                                          L3 */
#ifndef HAK_DIAG_VERIFY_WALK_H
#define HAK_DIAG_VERIFY_WALK_H

#include "base/attr.h"
#include "base/bits.h"
#include "layout/arena.h"
#include "layout/heap.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the units of one heap add up to. */
struct verify_sum {
    size_t free_bytes, slab_bytes, fresh_bytes, purged_bytes;
    uint32_t listed, slabs;
};

struct verify {
    void (*report)(const char *line, void *context);
    void *context;
    size_t bad;
    size_t limit;           /* units */
    uint32_t heaps;         /* ids are 1..heaps */
    uint64_t *seen;         /* a bit per block that was found in a magazine or on its way, as hak_arena.bits */
    struct verify_sum *sum; /* by heap id */
    size_t used;            /* units in slabs and large blocks */
};

/* Counts and reports a violation. */
HAK_HIDDEN void verify_fail(struct verify *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Reports unless ok. */
#define VERIFY(v, ok, ...)               \
    do {                                 \
        if (HAK_UNLIKELY(!(ok))) {       \
            verify_fail(v, __VA_ARGS__); \
        }                                \
    } while (0)

/* The map word of p, 0 when it lies in no usable unit. */
HAK_INLINE uint32_t verify_word(const void *p) {
    size_t u = unit_of(p);
    return u < hak_arena.limit ? hak_arena.map[u] : 0;
}

/* Units, slabs, large blocks and supers; fills sum and used. */
HAK_HIDDEN void verify_units(struct verify *v);
/* Lists, magazines and chunks on their way of one heap. */
HAK_HIDDEN void verify_heap(struct verify *v, struct heap *h);

#endif
