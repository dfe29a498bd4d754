/* cold/slab.h : blocks move between bitmaps and magazines here, many at a time.                                       L2 */
#ifndef HAK_COLD_SLAB_H
#define HAK_COLD_SLAB_H

#include "base/attr.h"
#include "layout/arena.h"
#include "layout/heap.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes up to want free blocks of class cls from the heap's slabs, or from a new one, into out[0..n); out[n - 1] is the lowest address, so
 * that pops ascend. Returns n, 0 when memory is out. Any thread; takes the heap's lock. */
HAK_HIDDEN unsigned slab_take(struct heap *h, unsigned cls, uintptr_t *out, unsigned want);

/* Puts blocks v[0..n) of class cls, all in slabs of h (or of others, when h was robbed), back into their bitmaps. A block that is there already, or no block's start, ends
 * the program. Slabs that become wholly free go back to the span allocator. Any thread; takes the heap's lock. */
HAK_HIDDEN void slab_settle(struct heap *h, unsigned cls, const uintptr_t *v, unsigned n);

/* slab_settle() of blocks of any class. Blocks of slabs that are not h's are moved to the front of v and counted in the result. */
HAK_HIDDEN unsigned slab_settle_mixed(struct heap *h, uintptr_t *v, unsigned n);

/* The slab that unit u belongs to: its first unit. */
HAK_INLINE uint32_t slab_head(size_t u) { return (uint32_t)u - hak_arena.slabs[u].head_off; }
HAK_INLINE uint64_t *slab_bits(uint32_t u) { return hak_arena.bits - ((size_t)u + 1) * SLAB_WORDS; }

/* Whether p is the start of a block of the slab at head unit u. */
HAK_HIDDEN bool slab_block_start(uint32_t u, const void *p);
/* Whether the block is in its slab's bitmap or bump range. Heap lock held, or a race is harmless. */
HAK_HIDDEN bool slab_block_free(uint32_t u, const void *p);

/* Claims the free blocks of one partial slab of h that cover whole pages, for a purge: fills pages[] (a bit per 4 KiB page) and claimed[]
 * (a bit per block), and returns its first unit, 0 when none is worth it. slab_unclaim() puts the blocks back. */
struct slab_claim {
    uint32_t unit, npages;
    uint64_t blocks[SLAB_WORDS];
    uint64_t pages[2],
        gone[2]; /* to give back; given back before: not said of blocks that are claimed, for fork may lose those in its child */
};
HAK_HIDDEN bool slab_claim_pages(struct heap *h, uint32_t unit, struct slab_claim *out);
HAK_HIDDEN void slab_unclaim(const struct slab_claim *c, bool purged);

/* Takes a wholly free slab off its heap, under the heap's lock; the caller gives the span back after it. */
HAK_HIDDEN void slab_retire_locked(struct heap *h, uint32_t unit);
/* The slab at unit is its heap's current one and wholly free: taken off the heap; returns its units, 0 otherwise. */
HAK_HIDDEN uint8_t slab_retire_current(struct heap *h, uint32_t unit);
/* A wholly free current slab of class cls goes back to the span allocator: at idle and trim. */
HAK_HIDDEN void slab_drop_current(struct heap *h, unsigned cls);

/* The current slab of class cls goes back when it is wholly free, else among the partial ones: others, and whoever needs pages, can use it. */
HAK_HIDDEN void slab_close(struct heap *h, unsigned cls);

/* Releases every slab of h, a first-class heap, whatever its blocks: for its destruction. */
HAK_HIDDEN void slab_release_all(struct heap *h);

#endif
